import assert from "node:assert/strict";
import { mkdtempDisposableSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Failure } from "@aurae/domain/errors";
import { openLock } from "./lock.ts";
import { LogCatalog } from "./logs/log-catalog.ts";
import { AbandonedCell } from "./testing/abandoned-cell.ts";
import {
  type LinuxSetting,
  skipWithoutKernel as skip,
  warmSetting,
} from "./testing/linux-setting.ts";
import { textOf } from "./testing/log-text.ts";
import { directoryPlants, plant, plants } from "./testing/plant.ts";
import { WatchedCell } from "./testing/watched-cell.ts";

/*
 * Something else is put in the place of a file of ours, with what stood in the file behind it: a daemon
 * that followed it would find all well, and not say a word.
 */

for (const [place, isListed, puts] of [
  ["cell.json", false, plants],
  ["1.json", true, plants],
  ["runs/2", true, plants],
  ["runs", true, directoryPlants],
  ["", false, directoryPlants],
] as const) {
  const name = place === "" ? "the directory of a cell" : `${place} of a cell`;
  test(`adopt() does not take what is planted as ${name} for ours (fault 67)`, {
    skip,
  }, async () => {
    await using setting = await warmSetting();
    const cell = await AbandonedCell.create(setting);

    for (const [what, put] of Object.entries(puts)) {
      using _planted = plant(join(cell.directory, place), put);
      await setting.restart();
      const adopted = await cell.adopt();

      assert.ok(cell.isRunning, what);
      assert.equal(adopted?.runs[0]?.report.pid, isListed ? cell.pid : undefined, what);
      assert.equal(adopted?.failed, undefined, what);
      assertToldOf(setting, join(cell.directory, place), what);
    }
  });
}

test("adopt() frees nothing for what is planted as the mark of a cell that ends (fault 67)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await AbandonedCell.create(setting);
  const path = join(cell.directory, "ending");

  for (const [what, put] of Object.entries(plants)) {
    writeFileSync(path, "0");
    using _planted = plant(path, put);
    await setting.restart();

    assert.equal((await cell.adopt())?.runs[0]?.report.pid, cell.pid, what);
    assert.ok(cell.isRunning, what);
    assertToldOf(setting, path, what);
  }
  rmSync(path);
});

test("adopt() speaks with nobody through what is planted as a socket (fault 67)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await AbandonedCell.create(setting);
  const path = join(cell.directory, "s.sock");
  const { "a file of nobody": _, "a file that all may write": _other, ...others } = plants;

  for (const [what, put] of Object.entries(others)) {
    if (what === "a hard link") continue; // Of a socket that is the socket.
    using _planted = plant(path, put);
    await setting.restart();

    const why = `its supervisor does not answer: ${path} is no socket of ours: it is ${what}`;
    assert.ok((await cell.adopt())?.failed?.startsWith(why), what);
    assert.ok(cell.isRunning, what);
  }
});

test("a log is not read, nor a line of the catalog written, through what is planted (fault 67)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await AbandonedCell.create(setting);
  const logs = join(setting.libraryDir, "logs", cell.id);

  for (const [place, puts] of [
    ["main/1.log", plants],
    ["main", directoryPlants],
  ] as const) {
    for (const [what, put] of Object.entries(puts)) {
      using _planted = plant(join(logs, place), put);
      const adopted = await adoptAnew(setting);
      assert.ok(adopted !== undefined);
      await assert.rejects(textOf(setting, adopted, 1), (cause) => {
        assert.ok(cause instanceof Failure && cause.message.includes(join(logs, place)), what);
        return true;
      });
    }
  }
  assert.ok(cell.isRunning);
});

for (const place of ["cell.json", "runs.jsonl"]) {
  test(`the catalog neither believes nor writes through what is planted as ${place} (fault 67)`, {
    skip,
  }, async () => {
    await using setting = await warmSetting();
    const cell = await AbandonedCell.create(setting);
    const path = join(setting.libraryDir, "logs", cell.id, place);
    const before = readFileSync(path);

    for (const [what, put] of Object.entries(plants)) {
      using _planted = plant(path, put);
      await setting.restart();
      assert.equal((await cell.adopt())?.runs[0]?.report.pid, cell.pid, what);
      await setting.logs.catalog.flush();

      assertToldOf(setting, path, what);
      assert.deepEqual(readFileSync(`${path}.original`), before, what);
    }
  });
}

test("a host does not use what is planted as its directories (fault 67)", { skip }, async () => {
  await using setting = await warmSetting();

  for (const path of [join(setting.runtimeDir, "cells"), join(setting.libraryDir, "logs")]) {
    for (const [what, put] of Object.entries(directoryPlants)) {
      using _planted = plant(path, put);
      await assert.rejects(setting.restart(), (cause) => {
        assert.ok(cause instanceof Failure && cause.message.includes(path), what);
        return true;
      });
    }
  }
});

test("openLock() does not lock what is planted as the lock (fault 67)", { skip }, () => {
  using temporary = mkdtempDisposableSync("/tmp/al-");
  openLock(temporary.path)[Symbol.dispose]();
  const path = join(temporary.path, "lock");

  for (const [what, put] of Object.entries(plants)) {
    using _planted = plant(path, put);
    assert.throws(
      () => openLock(temporary.path),
      (cause) => {
        assert.ok(cause instanceof Failure && cause.message.includes(path), what);
        return true;
      },
    );
  }
});

test("the logs of a cell in a directory that is planted are neither read nor removed (fault 67)", {
  skip,
}, () => {
  using temporary = mkdtempDisposableSync("/tmp/al-");
  const id = "0123456789abcdef";
  const directory = join(temporary.path, "logs");
  const warnings: string[] = [];
  const options = {
    directory,
    bootId: "boot",
    keptRuns: 3,
    warn: (text: string) => warnings.push(text),
  };
  new LogCatalog(options).cellAllocated(id, "web" as never);

  for (const put of Object.values(directoryPlants)) {
    using _planted = plant(join(directory, id), put);
    assert.deepEqual(new LogCatalog(options).ended, []);
    assert.match(warnings.pop() ?? "", /no directory of ours/);
  }
});

async function adoptAnew(setting: LinuxSetting): Promise<WatchedCell | undefined> {
  await setting.restart();
  const [adopted] = await setting.host.adopt();
  return adopted && WatchedCell.watch(adopted.name, adopted.enclosure);
}

/** A line names the file, and nothing else was odd but what comes of that. */
function assertToldOf(setting: LinuxSetting, path: string, what: string): void {
  const told = setting.warnings.splice(0);
  assert.ok(
    told.some((line) => line.includes(path)),
    `${what}: ${told.join("\n")}`,
  );
}
