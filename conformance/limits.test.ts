import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CellService, EndReason } from "@aurae/api/runtime";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "./client.ts";
import { type Daemon, needsRoot, startDaemon } from "./daemon.ts";
import { cgroupsOf, isVersion2, readCgroup } from "./host.ts";

/** Limits that bite, on the real kernel, and what is told of them. */

/**
 * The limit is the cell's, the peak that of the executable's cgroup within: it counts a last charge
 * that the cell then refuses (page_counter_try_charge() in mm/page_counter.c), of a huge page at most.
 */
const oneCharge = 2_097_152n;

let daemon: Daemon;
let client: WireClient;

before(async () => {
  if (needsRoot) return;
  daemon = await startDaemon();
  client = new WireClient(daemon);
});

after(async () => {
  client?.[Symbol.dispose]();
  await daemon?.[Symbol.asyncDispose]();
});

test("a fork bomb ends at the cell's limit of processes (fault 36)", {
  skip: needsRoot,
}, async () => {
  await client.allocate({ name: "bomb", limits: { pidsMax: 30 } });

  const bomb = "i=0; while [ $i -lt 100 ]; do sleep 1000 >/dev/null 2>&1 & i=$((i + 1)); done";
  const { end } = await client.run("bomb", bomb);

  // The shell says that it cannot fork.
  assert.equal(end?.exitCode, 2);
  if (readCgroup(daemon, "bomb", "pids.peak") !== undefined) {
    const peak = end.usage?.pidsPeak ?? 0n;
    assert.ok(peak > 20n && peak <= 30n, `peak ${peak}`);
  }
  await client.free("bomb");
});

test("a cell that did not say has 1,024 processes, and List shows it", {
  skip: needsRoot,
}, async () => {
  await client.allocate({ name: "default" });

  const { cells } = await client.call(CellService.method.list, { cellName: "default" });

  assert.equal(cells[0]?.cell?.limits?.pidsMax, 1024);
  assert.equal(readCgroup(daemon, "default", "pids.max"), "1024");
  await client.free("default");
});

test("a cell that wants more memory than it has is told so: reason OOM (fault 31)", {
  skip: needsRoot,
}, async () => {
  const limits = { memoryMaxBytes: 16_777_216n };
  await client.allocate({ name: "greedy", limits });

  const { end } = await client.run("greedy", "x=1234567890; while :; do x=$x$x; done");

  assert.equal(end?.reason, EndReason.OOM);
  assert.ok((end.usage?.oomKills ?? 0n) > 0n);
  const peak = end.usage?.memoryPeakBytes ?? 0n;
  assert.ok(peak > 0n && peak <= limits.memoryMaxBytes + oneCharge, `peak ${peak}`);
  await client.free("greedy");
});

test("every limit is in the kernel's files as it was asked for", { skip: needsRoot }, async () => {
  const limits = {
    ...{ cpuQuotaUs: 150_000n, cpuPeriodUs: 50_000n, memoryMaxBytes: 33_554_432n, pidsMax: 99 },
    cpusetCpus: "0",
  };
  await client.allocate({ name: "limits", cpuShares: 2048n, limits });

  // 2048 shares of version 1 are the weight ⌈10^((11² + 125·11)/612 − 7/34)⌉ of version 2.
  const files = {
    ...{ "pids.max": "99", "cpuset.cpus": "0" },
    ...(isVersion2("cpu")
      ? { "cpu.weight": "174", "cpu.max": "150000 50000" }
      : { "cpu.shares": "2048", "cpu.cfs_quota_us": "150000", "cpu.cfs_period_us": "50000" }),
    [isVersion2("memory") ? "memory.max" : "memory.limit_in_bytes"]: "33554432",
  };
  const held = Object.keys(files).map((file) => [file, readCgroup(daemon, "limits", file)]);
  assert.deepEqual(Object.fromEntries(held), files);
  const { lines } = await client.run(
    "limits",
    "grep Cpus_allowed_list /proc/self/status | tr -d '\\t'",
  );
  assert.deepEqual(lines, ["Cpus_allowed_list:0"]);
  await client.free("limits");
});

test("a limit that the host has no file for is refused, and named", {
  skip: needsRoot,
}, async () => {
  const { code, reason, message } = await answerTo(
    client.allocate({ name: "low", limits: { memoryLowBytes: 4096n } }),
  );

  if (isVersion2("memory")) {
    assert.equal(readCgroup(daemon, "low", "memory.low"), "4096");
    await client.free("low");
  } else {
    assert.deepEqual([code, reason], [status.FAILED_PRECONDITION, "CONTROLLER_MISSING"]);
    assert.match(message, /memory\.low/);
    assert.deepEqual(cgroupsOf(daemon, "low"), []);
  }
});

test("a child has no more than its parent", { skip: needsRoot }, async () => {
  await client.allocate({ name: "parent", limits: { memoryMaxBytes: 16_777_216n } });
  await client.allocate({ name: "parent/child", limits: { memoryMaxBytes: 268_435_456n } });

  const { end } = await client.run("parent/child", "x=1234567890; while :; do x=$x$x; done");

  assert.equal(end?.reason, EndReason.OOM);
  const peak = end.usage?.memoryPeakBytes ?? 0n;
  assert.ok(peak > 0n && peak <= 16_777_216n + oneCharge, `peak ${peak}`);
  await client.free("parent");
});
