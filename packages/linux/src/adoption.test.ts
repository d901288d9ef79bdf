import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CellDirectory } from "./cell-directory.ts";
import { encodeCellFile, parseCellFile } from "./cell-file.ts";
import { hasReason } from "./testing/has-reason.ts";
import { assertNothingLeft, settledCensus } from "./testing/leak-oracle.ts";
import { skipWithoutKernel as skip, warmSetting } from "./testing/linux-setting.ts";
import { firstLine } from "./testing/log-text.ts";
import { executableName, program, WatchedCell } from "./testing/watched-cell.ts";

test("adopt() takes over cells, runs and their ends, and stop() works on (fault 108)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const first = await WatchedCell.allocate(setting.host, "team");
  const child = await WatchedCell.allocate(setting.host, "team/web", {}, first);
  await child.start(1, "exit 4", { name: executableName("done") });
  await child.closed(1);
  const { pid } = await child.start(2, "echo hello; sleep 1000");

  await setting.restart();
  const adopted = await setting.host.adopt();

  assert.deepEqual(
    adopted.map(({ name }) => name),
    ["team", "team/web"],
  );
  assert.deepEqual(adopted[1]?.spec.labels, new Map([["a", "b"]]));
  const [done, running] = adopted[1]?.runs ?? [];
  assert.deepEqual([done?.report.end?.exitCode, done?.spec.command], [4, "exit 4"]);
  assert.deepEqual([running?.report.pid, running?.report.end], [pid, undefined]);
  assert.equal(setting.logs.findByPid(pid)?.run, 2);
  const [parent, cell] = adopted.map(({ name, enclosure }) => WatchedCell.watch(name, enclosure));
  await cell?.enclosure.stop(2, 1000);
  assert.equal((await cell?.closed(2))?.end?.reason, "aborted");
  await cell?.enclosure.end(0);
  await parent?.enclosure.end(0);
});

test("a start that a daemon died in leaves its number free", { skip }, async () => {
  await using setting = await warmSetting();
  const { enclosure } = await WatchedCell.allocate(setting.host, "web");
  const directory = new CellDirectory(join(setting.runtimeDir, "cells", enclosure.id), 10);
  directory.writeSpec(1, program("true"));

  await setting.restart();
  const [adopted] = await setting.host.adopt();

  assert.ok(adopted !== undefined);
  assert.deepEqual([adopted.runs, adopted.failed, setting.warnings], [[], undefined, []]);
  const cell = WatchedCell.watch(adopted.name, adopted.enclosure);
  await cell.start(1, "exit 3");
  assert.equal((await cell.closed(1)).end?.exitCode, 3);
  await cell.enclosure.end(0);
});

test("adopt() undoes what was not committed, and frees what was being freed", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const half = await WatchedCell.allocate(setting.host, "half");
  const ending = await WatchedCell.allocate(setting.host, "ending");
  await ending.start(1, "sleep 1000");
  setting.uncommit(half.enclosure.id);
  writeFileSync(join(setting.runtimeDir, "cells", ending.enclosure.id, "ending"), "0");

  await setting.restart();

  assert.deepEqual(await setting.host.adopt(), []);
  await assertNothingLeft(setting, before);
});

test("adopt() leaves alone what it cannot read, with a word (faults 61, 67)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  setting.plant("0123456789abcdef", "cell.json", '{"version":1,');
  setting.plant("fedcba9876543210", "cell.json", '{"version":2}');
  setting.plant("lost-and-found", "x", "");

  assert.deepEqual(await setting.host.adopt(), []);

  assert.equal(setting.warnings.length, 3);
  assert.equal(readdirSync(join(setting.runtimeDir, "cells")).length, 3);
});

test("adopt() removes what is left of another boot (fault 16)", { skip }, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web");
  const file = join(setting.runtimeDir, "cells", cell.enclosure.id, "cell.json");
  const old = encodeCellFile({ ...parseCellFile(readFileSync(file)), bootId: "another" });
  await cell.enclosure.end(0);
  setting.plant(cell.enclosure.id, "cell.json", old);

  assert.deepEqual(await setting.host.adopt(), []);

  assert.equal(existsSync(file), false);
});

test("a cell whose supervisor is killed fails, its runs are lost, end() works (fault 8)", {
  skip,
}, async () => {
  for (const shared of [new Set<never>(), new Set(["pid"] as const)]) {
    await using setting = await warmSetting();
    const before = await settledCensus(setting);
    const cell = await WatchedCell.allocate(setting.host, "web", { shared });
    await cell.start(1, "sleep 1000");

    for (const pid of setting.supervisors) process.kill(pid, "SIGKILL");

    assert.equal(await cell.failed(), "supervisor lost");
    const report = await cell.closed(1);
    assert.deepEqual([report.end?.reason, report.treeIsEmpty], ["lost", true]);
    await assert.rejects(cell.start(2, "true"), hasReason("CELL_FAILED"));
    await cell.enclosure.stop(1, 0);
    await cell.enclosure.end(0);
    await assertNothingLeft(setting, before);
  }
});

test("a run without a record is lost with its supervisor all the same", { skip }, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web");
  rmSync(join(setting.runtimeDir, "cells", cell.enclosure.id, "runs"), { recursive: true });
  const { pid } = await cell.start(1, "sleep 1000");

  for (const supervisor of setting.supervisors) process.kill(supervisor, "SIGKILL");

  const { end, pid: told } = await cell.closed(1);
  assert.deepEqual([end?.reason, told], ["lost", pid]);
  await cell.enclosure.end(0);
});

test("adopt() tells of a cell whose supervisor was killed meanwhile as failed", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cell = await WatchedCell.allocate(setting.host, "web");
  await cell.start(1, "echo ready; sleep 1000");
  // Its record is written by then.
  await firstLine(setting, cell, 1);
  const supervisors = setting.supervisors;
  await setting.host[Symbol.asyncDispose]();
  for (const pid of supervisors) process.kill(pid, "SIGKILL");
  await setting.restart();

  const [adopted] = await setting.host.adopt();

  assert.equal(adopted?.failed, "supervisor lost");
  assert.equal(adopted?.runs[0]?.report.end?.reason, "lost");
  await adopted?.enclosure.end(0);
  await assertNothingLeft(setting, before);
});

test("a cell whose init is killed fails after its runs were told (fault 10)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cell = await WatchedCell.allocate(setting.host, "web");
  await cell.start(1, "sleep 1000");

  process.kill(setting.initOf("web"), "SIGKILL");

  assert.equal(await cell.failed(), "its init was killed by signal 9");
  const { end } = await cell.closed(1);
  assert.deepEqual([end?.reason, end?.signal], ["signaled", 9]);
  await cell.enclosure.end(0);
  await assertNothingLeft(setting, before);
});

test("end() removes a cell whose cgroups somebody else has removed (fault 18)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cell = await WatchedCell.allocate(setting.host, "web");
  process.kill(setting.initOf("web"), "SIGKILL");
  await cell.failed();
  setting.removeCgroups("web");

  await assert.rejects(cell.enclosure.start(1, program("true")), hasReason("CELL_FAILED"));
  await cell.enclosure.end(0);

  await assertNothingLeft(setting, before);
});
