import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hostSuite } from "@aurae/domain/testing";
import { LinuxHost } from "./linux-host.ts";
import { hasReason } from "./testing/has-reason.ts";
import { assertNothingLeft, settledCensus } from "./testing/leak-oracle.ts";
import { LinuxSetting, skipWithoutKernel as skip, warmSetting } from "./testing/linux-setting.ts";
import { textOf } from "./testing/log-text.ts";
import { WatchedCell } from "./testing/watched-cell.ts";

hostSuite("LinuxHost", async () => new LinuxSetting(), skip);

test("enclose() makes limits hold in the kernel, and end() leaves nothing", { skip }, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const limits = { cpuShares: 512, cpuQuotaUs: 50_000, memoryMaxBytes: 10_000_000n, pidsMax: 20 };

  const cell = await WatchedCell.allocate(setting.host, "web", { limits });

  const held = Object.keys(limitFiles(setting)).map((file) => setting.readLimit("web", file));
  assert.deepEqual(held, Object.values(limitFiles(setting)));
  await cell.start(1, "sleep 1000");
  await cell.enclosure.end(0);
  await assertNothingLeft(setting, before);
});

test("enclose() gives a cell that asks a part of the processors", { skip }, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const parent = await WatchedCell.allocate(setting.host, "team");
  const limits = { cpusetCpus: "0" };

  const cell = await WatchedCell.allocate(setting.host, "team/web", { limits }, parent);
  await cell.start(1, "grep Cpus_allowed_list /proc/self/status");
  await cell.closed(1);

  assert.match((await textOf(setting, cell, 1)).join(), /:\s0$/);
  await cell.enclosure.end(0);
  await parent.enclosure.end(0);
  assert.equal(setting.readLimit("team", "cpuset.cpus"), undefined);
  await assertNothingLeft(setting, before);
});

test("enclose() that is refused leaves nothing", { skip }, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);

  const notHeld = WatchedCell.allocate(setting.host, "web", { limits: { cpusetCpus: "4000" } });
  await assert.rejects(notHeld, hasReason("LIMIT_NOT_HELD"));
  // Version 1 has no file for it.
  if (!setting.host.cgroupV2) {
    const limits = { memoryHighBytes: 4_194_304n };
    const missing = WatchedCell.allocate(setting.host, "web", { limits });
    await assert.rejects(missing, hasReason("CONTROLLER_MISSING"));
  }

  await assertNothingLeft(setting, before);
});

test("enclose() that cannot note what it means leaves no supervisor", { skip }, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cells = join(setting.runtimeDir, "cells");
  renameSync(cells, `${cells}.away`);

  await assert.rejects(WatchedCell.allocate(setting.host, "web"), hasReason("HOST_FAILED"));

  renameSync(`${cells}.away`, cells);
  await assertNothingLeft(setting, before);
});

test("enclose() refuses when the shim is missing, cut or may not be run (fault 12)", {
  skip,
}, async () => {
  await using setting = new LinuxSetting({ shimDir: "/nonexistent" });

  await assert.rejects(WatchedCell.allocate(setting.host, "web"), hasReason("SHIM_UNUSABLE"));

  const path = join(setting.directory, "aurae-launcher");
  for (const mode of [0o600, 0o700]) {
    writeFileSync(path, "\x7fELF");
    chmodSync(path, mode);
    await using broken = new LinuxSetting({ shimDir: setting.directory });
    await assert.rejects(WatchedCell.allocate(broken.host, "web"), hasReason("SHIM_UNUSABLE"));
    assert.deepEqual(readdirSync(join(broken.runtimeDir, "cells")), []);
  }
});

test("two cells allocated at once start one launcher", { skip }, async () => {
  await using setting = new LinuxSetting();

  const cells = await Promise.all(
    ["a", "b", "c"].map((name) => WatchedCell.allocate(setting.host, name)),
  );

  assert.equal(setting.launchers.length, 1);
  await Promise.all(cells.map(({ enclosure }) => enclosure.end(0)));
});

test("a cell inside another is in its cgroup and its namespaces", { skip }, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const parent = await WatchedCell.allocate(setting.host, "team");
  const child = await WatchedCell.allocate(setting.host, "team/web", {}, parent);

  const { pid } = await child.start(1, "sleep 1000");

  const place = setting.host.cgroupV2
    ? /^0::.*\/c-team\/c-web\/x-main$/m
    : /^\d+:pids:.*\/c-team\/c-web\/x-main$/m;
  assert.match(readFileSync(`/proc/${pid}/cgroup`, "utf8"), place);
  assert.equal(
    readFileSync(`/proc/${pid}/status`, "utf8")
      .match(/NSpid:(.*)/)?.[1]
      ?.split("\t").length,
    4,
  );
  await child.enclosure.end(0);
  await parent.enclosure.end(0);
  await assertNothingLeft(setting, before);
});

test("a cell shares what it asks to share, and nothing else", { skip }, async () => {
  await using setting = await warmSetting();
  const shared = new Set(["network", "uts"] as const);
  const cell = await WatchedCell.allocate(setting.host, "web", { shared });

  const { pid } = await cell.start(1, "sleep 1000");

  const same = ["net", "uts", "mnt", "pid", "ipc", "cgroup"].filter(
    (kind) => readlinkSync(`/proc/${pid}/ns/${kind}`) === readlinkSync(`/proc/self/ns/${kind}`),
  );
  assert.deepEqual(same, ["net", "uts"]);
  await cell.enclosure.end(0);
});

test("retire() leaves nothing, does nothing while there are cells, and all can begin anew", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web");
  assert.equal(await setting.host.retire(), false);
  await cell.enclosure.end(0);

  assert.equal(await setting.host.retire(), true);

  assert.deepEqual(setting.nodeDirectories, []);
  assert.deepEqual(readdirSync(setting.runtimeDir), ["cells"]);
  const again = await WatchedCell.allocate(setting.host, "web");
  await again.enclosure.end(0);
});

test("a runtime directory whose path is too long for sockets is refused, and told how long", {
  skip,
}, async () => {
  await using setting = new LinuxSetting();
  const { logs, directory } = setting;
  const runtimeDir = join(directory, "x".repeat(78 - directory.length - 1));
  mkdirSync(runtimeDir);

  assert.throws(
    () => new LinuxHost({ runtimeDir, logs, shimDir: "/", warn: () => undefined }),
    /has 78 bytes, and for the sockets in it 77 are the most/,
  );
});

/** What the kernel has of the limits of the first test, by file. */
function limitFiles({ host }: LinuxSetting): Readonly<Record<string, string>> {
  return host.cgroupV2
    ? { "cpu.weight": "59", "cpu.max": "50000 100000", "memory.max": "9998336", "pids.max": "20" }
    : {
        ...{ "cpu.shares": "512", "cpu.cfs_quota_us": "50000" },
        ...{ "memory.limit_in_bytes": "9998336", "pids.max": "20" },
      };
}
