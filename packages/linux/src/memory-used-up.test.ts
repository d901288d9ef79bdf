import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { hasReason } from "./testing/has-reason.ts";
import { assertNothingLeft, settledCensus } from "./testing/leak-oracle.ts";
import {
  type LinuxSetting,
  skipWithoutKernel as skip,
  warmSetting,
} from "./testing/linux-setting.ts";
import { textOf } from "./testing/log-text.ts";
import { WatchedCell } from "./testing/watched-cell.ts";

/** Cells that have used up their memory. */

test("an init that is killed for want of memory says so, and its runs are killed, not lost (fault 32)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const limits = { memoryMaxBytes: 16_777_216n };
  const cell = await WatchedCell.allocate(setting.host, "web", { limits });
  // Else the kernel would choose one that has most of it; so it does not, when each has a part.
  writeFileSync(`/proc/${setting.initOf("web")}/oom_score_adj`, "1000");

  const greedy = "(x=1234567890; while :; do x=$x$x; done) &";
  await cell.start(1, `${greedy} ${greedy} ${greedy} ${greedy} wait; wait`);

  assert.equal(await cell.failed(), "its init was killed: the cell was out of memory");
  const { end } = await cell.closed(1);
  assert.notEqual(end?.reason, "lost");
  assert.equal(end?.signal, 9);
  await cell.enclosure.end(0);
  await assertNothingLeft(setting, before);
});

test("enclose() is refused when the memory is too little for an init, and leaves nothing (fault 32)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const limits = { memoryMaxBytes: 65_536n };

  const refused = WatchedCell.allocate(setting.host, "web", { limits });

  await assert.rejects(refused, hasReason("CELL_FAILED"));
  await assertNothingLeft(setting, before);
});

test("a cell at its limit of memory is logged and stopped (fault 33)", { skip }, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const limits = { memoryMaxBytes: 8_388_608n };
  const cell = await WatchedCell.allocate(setting.host, "web", { limits });
  const said = join(setting.directory, "said");
  const big = join(setting.directory, "big");
  execFileSync("mkfifo", [said]);
  writeFileSync(big, Buffer.alloc(32 * 1024 * 1024));
  // What is written is the cell's until that is too much: then the kernel takes back as much.
  const filling = `cat ${big} >${big}2; seq 1000; echo > ${said}; exec sleep 1000`;

  await cell.start(1, filling);
  await readFile(said);

  assert.ok(timesAtLimit(setting) > 0);
  await cell.enclosure.stop(1, 5000);
  const { end } = await cell.closed(1);
  assert.deepEqual([end?.reason, end?.signal], ["aborted", 15]);
  const lines = Array.from({ length: 1000 }, (_, i) => String(i + 1));
  assert.deepEqual(await textOf(setting, cell, 1), lines);
  await cell.enclosure.end(0);
  await assertNothingLeft(setting, before);
});

/** How often "web" was at its limit, by the kernel's counter of whichever version. */
function timesAtLimit(setting: LinuxSetting): number {
  const failures = setting.readLimit("web", "memory.failcnt");
  const events = setting.readLimit("web", "memory.events") ?? "";
  return Number(failures ?? /^max (\d+)$/m.exec(events)?.[1]);
}
