import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { AdoptedCell } from "@aurae/domain/cells";
import { sealJson } from "./sealed-json.ts";
import { AbandonedCell } from "./testing/abandoned-cell.ts";
import { flipBit } from "./testing/flip-bit.ts";
import { skipWithoutKernel as skip, warmSetting } from "./testing/linux-setting.ts";

/*
 * A cell that lives, and a daemon that comes back to a file of it that is not as it was written: each
 * byte and each bit is `cell-file.test.ts` and `record.test.ts`; here is what is done about it.
 */

/** A file is damaged in so many places that lie apart. */
const places = 24;

test("adopt() leaves a cell alone whose file is cut or damaged, and says which (faults 61, 62)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await AbandonedCell.create(setting);

  await damageEach(cell, "cell.json", async (what) => {
    await setting.restart();
    assert.equal(await cell.adopt(), undefined, what);
    assert.ok(cell.isRunning, what);
    const [told = ""] = setting.warnings.splice(0);
    assert.ok(told.startsWith(`Cannot read ${cell.directory}: cell.json: it`), what);
    assert.match(told, /unmanaged, and runs on with 1 executables; to end it, kill/, what);
  });
});

for (const file of ["1.json", "runs/2"]) {
  test(`adopt() tells of all other runs when ${file} is cut or damaged (faults 61, 62)`, {
    skip,
  }, async () => {
    await using setting = await warmSetting();
    const cell = await AbandonedCell.create(setting);

    await damageEach(cell, file, async (what) => {
      await setting.restart();
      const adopted = await cell.adopt();

      assert.ok(cell.isRunning, what);
      assert.deepEqual(statusOf(adopted), [
        "main runs",
        file === "runs/2" ? "done lost" : "done 3",
      ]);
      assert.ok(
        setting.warnings.splice(0).some((line) => line.includes(cell.directory)),
        what,
      );
    });
  });
}

test("adopt() believes nothing that a newer daemon wrote, and touches nothing (faults 65, 110)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await AbandonedCell.create(setting);
  const path = join(cell.directory, "cell.json");
  const record = readFileSync(path);
  const newer = sealJson({ version: 3, name: "web", everything: "else" });
  writeFileSync(path, newer);
  const before = readdirSync(cell.directory, { recursive: true });

  assert.equal(await cell.adopt(), undefined);

  assert.ok(cell.isRunning);
  assert.match(
    setting.warnings.join(),
    /of version 3, .*a newer one wrote it; it is left as it is/,
  );
  assert.equal(readFileSync(path, "utf8"), newer);
  assert.deepEqual(readdirSync(cell.directory, { recursive: true }), before);
  writeFileSync(path, record);
});

test("adopt() keeps an intent of a newer daemon, though nothing else is there (fault 110)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  setting.plant("0123456789abcdef", "intent.json", sealJson({ version: 3 }));
  setting.plant("fedcba9876543210", "intent.json", '{"version":2,"na');

  assert.deepEqual(await setting.host.adopt(), []);

  assert.deepEqual(readdirSync(join(setting.runtimeDir, "cells")), ["0123456789abcdef"]);
});

/** Cut a file, and flip bits in it, in places that lie apart; it is whole again at the end. */
async function damageEach(
  cell: AbandonedCell,
  file: string,
  check: (what: string) => Promise<void>,
): Promise<void> {
  const path = join(cell.directory, file);
  const whole = readFileSync(path);
  for (let place = 0; place < places; place++) {
    const at = Math.floor((place * whole.length) / places);
    writeFileSync(path, whole.subarray(0, at));
    await check(`cut at ${at}`);
    writeFileSync(path, flipBit(whole, 8 * at + (place % 8)));
    await check(`bit ${place % 8} of byte ${at}`);
  }
  writeFileSync(path, whole);
}

function statusOf(adopted: AdoptedCell | undefined): readonly string[] {
  return (adopted?.runs ?? []).map(({ report: { executable, end } }) => {
    const how = end === undefined ? "runs" : (end.exitCode ?? end.reason);
    return `${executable} ${how}`;
  });
}
