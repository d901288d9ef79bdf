import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { assertNothingLeft, settledCensus } from "./testing/leak-oracle.ts";
import {
  type LinuxSetting,
  skipWithoutKernel as skip,
  warmSetting,
} from "./testing/linux-setting.ts";
import { WatchedCell } from "./testing/watched-cell.ts";

/** What root of the host, or a workload that shares its mounts, does to cgroups behind our back. */

/** Move a process to the cgroup above all of ours, in every tree. */
function moveOut(setting: LinuxSetting, pid: number): void {
  for (const node of setting.nodeDirectories)
    writeFileSync(join(dirname(dirname(node)), "cgroup.procs"), String(pid));
}

for (const [what, shared] of [
  ["of its own", []],
  ["of the host", ["pid"]],
] as const) {
  test(`end() ends a process that was moved out of a cell with pids ${what} (fault 20)`, {
    skip,
  }, async () => {
    await using setting = await warmSetting();
    const before = await settledCensus(setting);
    const cell = await WatchedCell.allocate(setting.host, "web", { shared: new Set(shared) });
    const { pid } = await cell.start(1, "exec sleep 1000");
    moveOut(setting, pid);
    assert.doesNotMatch(readFileSync(`/proc/${pid}/cgroup`, "utf8"), /c-web/);

    await cell.enclosure.end(0);

    assert.equal(existsSync(`/proc/${pid}`), false);
    const { end } = await cell.closed(1);
    assert.deepEqual([end?.reason, end?.signal], ["aborted", 9]);
    await assertNothingLeft(setting, before);
  });
}

test("end() removes cgroups that a workload made and lives in (fault 21)", { skip }, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const shared = new Set(["mount", "cgroup"] as const);
  const cell = await WatchedCell.allocate(setting.host, "web", { shared });
  const leaves = setting.nodeDirectories.map((node) => join(node, "c-web/x-main"));
  const making = leaves.map((leaf) => `mkdir -p ${leaf}/a/b; echo 0 >${leaf}/a/b/cgroup.procs`);
  const made = join(setting.directory, "made");
  execFileSync("mkfifo", [made]);
  await cell.start(1, `${making.join("\n")}\nsleep 1000 & echo > ${made}; exec sleep 1000`);
  await readFile(made);
  assert.ok(leaves.every((leaf) => existsSync(`${leaf}/a/b`)));

  await cell.enclosure.end(0);

  await assertNothingLeft(setting, before);
});
