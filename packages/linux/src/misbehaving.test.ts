import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertNothingLeft, nextTurn, settledCensus } from "./testing/leak-oracle.ts";
import { skipWithoutKernel as skip, warmSetting } from "./testing/linux-setting.ts";
import { firstLine } from "./testing/log-text.ts";
import { misbehave } from "./testing/misbehave.ts";
import { executableName, WatchedCell } from "./testing/watched-cell.ts";

/** Where pids are shared the supervisor does what the cell's init does elsewhere. */
const isolations = [
  ["with pids of its own", new Set<never>()],
  ["with the pids of the host", new Set(["pid"] as const)],
] as const;

for (const [where, shared] of isolations) {
  test(`10,000 orphans are reaped in a cell ${where}, and runs tell their ends (fault 35)`, {
    skip,
  }, async () => {
    await using setting = await warmSetting();
    // Room for those that live, not for those that have ended: fork() would fail.
    const cell = await WatchedCell.allocate(setting.host, "web", {
      ...{ limits: { pidsMax: 1200 }, shared },
    });

    await cell.start(1, `exec ${misbehave} orphans 10000`);
    const codes = [0, 1, 2, 3, 4, 5];
    for (const code of codes) {
      await cell.start(code + 2, `exit ${code}`, { name: executableName(`e${code}`) });
    }

    assert.equal((await cell.closed(1)).end?.exitCode, 7);
    const ends = await Promise.all(codes.map((code) => cell.closed(code + 2)));
    assert.deepEqual(
      ends.map(({ end }) => end?.exitCode),
      codes,
    );
    // The init alone.
    assert.equal(setting.readLimit("web", "pids.current"), "1");
    await cell.enclosure.end(0);
  });

  test(`a daemon with a session and a family of its own ends with its run, ${where} (fault 37)`, {
    skip,
  }, async () => {
    await using setting = await warmSetting();
    const before = await settledCensus(setting);
    const cell = await WatchedCell.allocate(setting.host, "web", { shared });

    await cell.start(1, `exec ${misbehave} daemon`);
    const { end, treeIsEmpty } = await cell.ended(1);
    assert.deepEqual([end?.exitCode, treeIsEmpty], [0, false]);
    assert.equal(processesOf("web/x-main").length, 4);
    await cell.enclosure.stop(1, 20);
    assert.equal((await cell.closed(1)).treeIsEmpty, true);
    assert.deepEqual(processesOf("web/x-main"), []);
    await cell.start(2, `exec ${misbehave} daemon`);
    await cell.ended(2);
    await cell.enclosure.end(0);

    await assertNothingLeft(setting, before);

    function processesOf(path: string): readonly string[] {
      return setting.readLimit(path, "cgroup.procs")?.split("\n").filter(Boolean) ?? [];
    }
  });
}

test("a fork bomb is held at the limit, other cells answer, stop() and end() end it (fault 36)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const bomb = await WatchedCell.allocate(setting.host, "bomb", { limits: { pidsMax: 40 } });
  const other = await WatchedCell.allocate(setting.host, "other");

  for (const run of [1, 2]) {
    await bomb.start(run, `exec ${misbehave} bomb`);
    assert.equal(await firstLine(setting, bomb, run), "full");
    assert.ok(Number(setting.readLimit("bomb", "pids.current")) <= 40);
    await other.start(run, `exit ${run}`);
    assert.equal((await other.closed(run)).end?.exitCode, run);
    if (run === 1) await bomb.enclosure.stop(1, 0);
    else await bomb.enclosure.end(0);
    assert.equal((await bomb.closed(run)).end?.reason, "aborted");
  }

  await other.enclosure.end(0);
  await assertNothingLeft(setting, before);
});

test("stop() ends the whole tree of a run that ignores SIGTERM (fault 38)", { skip }, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web");
  await cell.start(1, "trap '' TERM; (setsid sleep 1000 &); echo ready; sleep 1000");
  assert.equal(await firstLine(setting, cell, 1), "ready");

  await cell.enclosure.stop(1, 50);

  const { end } = await cell.closed(1);
  assert.deepEqual([end?.reason, end?.signal], ["aborted", 9]);
  await nextTurn();
  assert.equal(setting.readLimit("web/x-main", "pids.current"), undefined);
  await cell.enclosure.end(0);
});

test("stop() ends a run that is stopped (fault 39)", { skip }, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web");
  const { pid } = await cell.start(1, "echo ready; kill -STOP $$; echo on");
  assert.equal(await firstLine(setting, cell, 1), "ready");
  while (!readFileSync(`/proc/${pid}/stat`, "utf8").includes(") T ")) await nextTurn();

  await cell.enclosure.stop(1, 20);

  const { end } = await cell.closed(1);
  assert.deepEqual([end?.reason, end?.signal], ["aborted", 9]);
  await cell.enclosure.end(0);
});

test("stop() ends a run that the freezer of version 2 holds (fault 39)", { skip }, async (t) => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web");
  await cell.start(1, "trap '' TERM; echo ready; sleep 1000 & sleep 1000");
  assert.equal(await firstLine(setting, cell, 1), "ready");
  const directories = setting.nodeDirectories.map((node) => join(node, "c-web/x-main"));
  const version2 = directories.find((path) => existsSync(join(path, "cgroup.freeze")));
  if (version2 === undefined) return t.skip("no cgroup version 2");
  writeFileSync(join(version2, "cgroup.freeze"), "1");
  while (!readFileSync(join(version2, "cgroup.events"), "utf8").includes("frozen 1"))
    await nextTurn();

  await cell.enclosure.stop(1, 20);

  assert.equal((await cell.closed(1)).end?.reason, "aborted");
  return await cell.enclosure.end(0);
});

test("an end is told at once though a grandchild holds stdout, and its lines are kept (fault 41)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web");
  const fifo = join(setting.directory, "fifo");
  execFileSync("mkfifo", [fifo]);

  for (const run of [1, 2]) {
    await cell.start(run, `(read line <${fifo}; echo $line; exec sleep 1000) & exit 3`);
    const { end, treeIsEmpty, logIsComplete } = await cell.ended(run);
    assert.deepEqual([end?.exitCode, treeIsEmpty, logIsComplete], [3, false, false]);
    writeFileSync(fifo, "late\n");
    assert.equal(await firstLine(setting, cell, run), "late");
    if (run === 1) await cell.enclosure.stop(1, 60_000);
    else await cell.enclosure.end(60_000);
    const closed = await cell.closed(run);
    assert.deepEqual([closed.end?.reason, closed.end?.exitCode], ["exited", 3]);
  }
});
