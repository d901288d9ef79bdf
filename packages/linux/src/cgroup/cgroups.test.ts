import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CellName,
  type ExecutableName,
  type Limits,
  parseCellName,
} from "@aurae/domain/cells";
import { Failure } from "@aurae/domain/errors";
import { Cgroups } from "./cgroups.ts";
import { FakeCgroupFiles } from "./fake-cgroup-files.ts";
import { findHierarchies, type KernelPaths } from "./hierarchy.ts";

const paths: KernelPaths = { mountinfo: "/proc/mountinfo", ownCgroups: "/proc/cgroup" };
const limits: Limits = { pidsMax: 64, cpuShares: 512, memoryMaxBytes: 10_000_000n };

test("make() limits a cell on version 1, and says so (fault 22)", () => {
  const { files, cgroups } = hostOfV1();

  cgroups.make(cellName("web"), limits);

  assert.equal(cgroups.isV2, false);
  assert.equal(files.read("/cg/cpu,cpuacct/aurae/node/c-web/cpu.shares"), "512");
  assert.equal(files.read("/cg/memory/aurae/node/c-web/memory.limit_in_bytes"), "9998336");
  assert.equal(files.read("/cg/pids/aurae/node/c-web/pids.max"), "64");
  assert.ok(files.exists("/cg/freezer/aurae/node/c-web/_init"));
});

test("make() limits a cell on version 2, and says so (fault 22)", () => {
  const { files, cgroups } = hostOfV2();

  cgroups.make(cellName("web"), limits);

  assert.equal(cgroups.isV2, true);
  assert.equal(files.read("/cg/aurae/node/c-web/cpu.weight"), "59");
  assert.equal(files.read("/cg/aurae/node/c-web/memory.max"), "9998336");
  assert.equal(files.read("/cg/aurae/node/c-web/pids.max"), "64");
});

test("make() uses version 1 for what is mounted so on a hybrid host, and both for the cell (fault 22)", () => {
  const { files, cgroups } = hybridHost();

  const { hierarchies } = cgroups.make(cellName("web"), limits);

  assert.equal(cgroups.isV2, false);
  assert.equal(files.exists("/cg/freezer/aurae"), false);
  assert.deepEqual(hierarchies, [
    { roles: 2, directory: "/cg/cpu/aurae/node/c-web" },
    { roles: 8, directory: "/cg/memory/aurae/node/c-web" },
    { roles: 16, directory: "/cg/pids/aurae/node/c-web" },
    { roles: 1, directory: "/cg/unified/aurae/node/c-web" },
  ]);
});

test("make() refuses a cgroup where processes of nobody live, and names it", () => {
  const { files, cgroups } = hostOfV2();
  cgroups.make(cellName("web"), limits);
  files.files.set("/cg/aurae/node/c-web/cgroup.procs", "42\n");

  assert.throws(
    () => cgroups.make(cellName("web"), limits),
    (cause) => {
      assert.ok(cause instanceof Failure);
      assert.deepEqual([cause.kind, cause.reason], ["wrong-state", "CGROUP_NOT_OWNED"]);
      const message = "Cannot use cgroup /cg/aurae/node/c-web: processes live in it: 42";
      assert.equal(cause.message, message);
      return true;
    },
  );
});

test("makeExecutable() refuses where something of the last run lives", () => {
  const { files, cgroups } = hostOfV2();
  const cell = cgroups.make(cellName("web"), limits);
  cell.makeExecutable("main" as ExecutableName);
  files.files.set("/cg/aurae/node/c-web/x-main/cgroup.procs", "42\n");

  assert.throws(() => cell.makeExecutable("main" as ExecutableName), {
    reason: "EXECUTABLE_TREE_ALIVE",
  });
});

test("countExecutables() switches controllers on below a cell of version 2, not before", () => {
  const { files, cgroups } = hostOfV2();
  const cell = cgroups.make(cellName("web"), limits);
  assert.equal(files.read("/cg/aurae/node/c-web/cgroup.subtree_control"), "");

  cell.countExecutables();

  assert.equal(files.read("/cg/aurae/node/c-web/cgroup.subtree_control"), "cpu memory pids");
});

test("make() fills the cpusets from the top down, for a cell that asks", () => {
  const { files, cgroups } = hybridHost();
  const parent = cgroups.make(cellName("team"), limits);

  cgroups.make(cellName("team/web"), { ...limits, cpusetCpus: "1-2" });

  assert.equal(files.read("/cg/cpuset/aurae/node/c-team/cpuset.cpus"), "0-3");
  assert.equal(files.read("/cg/cpuset/aurae/node/c-team/c-web/cpuset.cpus"), "1-2");
  assert.equal(files.read("/cg/cpuset/aurae/node/c-team/c-web/_init/cpuset.cpus"), "1-2");
  assert.equal(parent.tryRemove(), true);
  assert.equal(files.exists("/cg/cpuset/aurae/node/c-team"), false);
});

test("make() makes no cpuset for a cell that does not ask", () => {
  const { files, cgroups } = hybridHost();

  cgroups.make(cellName("web"), limits);

  assert.equal(files.exists("/cg/cpuset/aurae"), false);
});

test("make() switches cpuset on along the way of version 2, for a cell that asks", () => {
  const { files, cgroups } = hostOfV2();
  cgroups.make(cellName("team"), limits).countExecutables();

  cgroups.make(cellName("team/web"), { ...limits, cpusetCpus: "0,1" });

  assert.equal(files.read("/cg/aurae/node/c-team/c-web/cpuset.cpus"), "0,1");
});

test("make() refuses a limit whose controller is missing, before anything of the cell is made (fault 22)", () => {
  const files = new FakeCgroupFiles();
  files.mountV2("/cg", "cpu", "pids");
  const cgroups = open(files, "30 1 0:9 / /cg rw - cgroup2 cgroup2 rw");

  const failure = refusal(() => cgroups.make(cellName("web"), limits));

  assert.deepEqual([failure.kind, failure.reason], ["wrong-state", "CONTROLLER_MISSING"]);
  assert.equal(failure.metadata["controller"], "memory");
  assert.match(failure.message, /cgroup_enable=memory/);
  assert.equal(files.exists("/cg/aurae/node/c-web"), false);
});

for (const [what, file] of [
  ["memoryHighBytes", "memory.high"],
  ["memoryLowBytes", "memory.low"],
  ["memoryMinBytes", "memory.min"],
] as const) {
  test(`make() refuses ${what} on version 1, naming the file`, () => {
    const { files, cgroups } = hostOfV1();

    const failure = refusal(() => cgroups.make(cellName("web"), { ...limits, [what]: 4096n }));

    assert.deepEqual(failure.metadata, { cell: "web", controller: "memory", file });
    assert.equal(files.exists("/cg/memory/aurae/node/c-web"), false);
  });
}

test("make() refuses a limit of swap without swap accounting", () => {
  const { files, cgroups } = hostOfV1();
  cgroups.prepare();
  files.files.delete("/cg/memory/aurae/node/memory.memsw.limit_in_bytes");

  const failure = refusal(() =>
    cgroups.make(cellName("web"), { ...limits, memorySwapMaxBytes: 4096n }),
  );

  assert.match(failure.message, /swapaccount=1/);
});

test("make() removes what it made when a limit does not hold", () => {
  const { files, cgroups } = hostOfV2();
  files.writeAndRead = (path, value) => (path.endsWith("pids.max") ? "63\n" : `${value}\n`);

  const failure = refusal(() => cgroups.make(cellName("web"), { pidsMax: 64 }));

  assert.equal(failure.reason, "LIMIT_NOT_HELD");
  assert.match(failure.message, /pids\.max did not take 64: pids\.max says 63/);
  assert.equal(files.exists("/cg/aurae/node/c-web"), false);
});

test("makeExecutable() makes a directory anew that an earlier run left", () => {
  const { files, cgroups } = hostOfV2();
  const cell = cgroups.make(cellName("web"), limits);
  cell.makeExecutable("main" as never);
  files.log.length = 0;

  cell.makeExecutable("main" as never);

  const path = "/cg/aurae/node/c-web/x-main";
  assert.deepEqual(files.log, [`rmdir ${path}`, `mkdir ${path}`]);
});

test("remove() goes depth first through what a workload made", async () => {
  const { files, cgroups } = hostOfV2();
  const cell = cgroups.make(cellName("web"), limits);
  files.makeDirectory("/cg/aurae/node/c-web/mine");
  files.makeDirectory("/cg/aurae/node/c-web/mine/deeper");

  await cell.remove();

  assert.equal(files.exists("/cg/aurae/node/c-web"), false);
});

function hostOfV1() {
  const files = new FakeCgroupFiles();
  files.mountV1("/cg/cpu,cpuacct", "cpu", "cpuacct");
  for (const name of ["memory", "pids", "freezer", "cpuset"]) files.mountV1(`/cg/${name}`, name);
  return {
    files,
    cgroups: open(
      files,
      "32 31 0:1 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
      ...["memory", "pids", "freezer", "cpuset"].map(
        (name, at) => `33 31 1:${at} / /cg/${name} rw shared:9 - cgroup cgroup rw,${name}`,
      ),
    ),
  };
}

function hostOfV2() {
  const files = new FakeCgroupFiles();
  files.mountV2("/cg", "cpuset", "cpu", "io", "memory", "pids");
  return { files, cgroups: open(files, "30 1 0:9 / /cg rw shared:4 - cgroup2 cgroup2 rw") };
}

function hybridHost() {
  const files = new FakeCgroupFiles();
  const names = ["cpu", "memory", "pids", "freezer", "cpuset"];
  for (const name of names) files.mountV1(`/cg/${name}`, name);
  files.mountV2("/cg/unified", "hugetlb");
  const v1 = names.map((name, at) => `3 1 0:${at} / /cg/${name} rw - cgroup cgroup rw,${name}`);
  return { files, cgroups: open(files, ...v1, "9 1 0:9 / /cg/unified rw - cgroup2 cgroup2 rw") };
}

function open(files: FakeCgroupFiles, ...mountinfo: readonly string[]): Cgroups {
  files.files.set(paths.mountinfo, mountinfo.join("\n"));
  files.files.set(paths.ownCgroups, "0::/\n");
  return new Cgroups(files, findHierarchies(files, paths, "/").hierarchies, "node");
}

function cellName(text: string): CellName {
  const name = parseCellName(text);
  assert.ok(typeof name === "string");
  return name;
}

function refusal(act: () => unknown): Failure {
  try {
    act();
  } catch (cause) {
    assert.ok(cause instanceof Failure, String(cause));
    return cause;
  }
  return assert.fail("it was not refused");
}
