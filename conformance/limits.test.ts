import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { CellService, EndReason } from "@aurae/api/runtime";
import { WireClient } from "./client.ts";
import { type Daemon, needsRoot, startDaemon } from "./daemon.ts";
import { cgroupWith } from "./host.ts";

/** Limits that bite, on the real kernel, and what is told of them. */

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

/** Whether the file of the version in use is there: the first name is version 1's. */
function readLimit(cell: string, files: readonly string[]): string {
  for (const file of files) {
    try {
      return readFileSync(`${cgroupWith(cell, file)}/${file}`, "utf8").trim();
    } catch {
      // The other version has it.
    }
  }
  throw new Error(`Cannot find any of ${files.join(", ")}`);
}

test("a fork bomb ends at the cell's limit of processes (fault 36)", {
  skip: needsRoot,
}, async () => {
  await client.allocate({ name: "bomb", limits: { pidsMax: 30 } });

  const bomb = "i=0; while [ $i -lt 100 ]; do sleep 1000 >/dev/null 2>&1 & i=$((i + 1)); done";
  const { end } = await client.run("bomb", bomb);

  assert.notEqual(end?.exitCode, 0);
  assert.ok((end?.usage?.pidsPeak ?? 0n) <= 30n);
  await client.free("bomb");
});

test("a cell that did not say has 1,024 processes, and List shows it", {
  skip: needsRoot,
}, async () => {
  await client.allocate({ name: "default" });

  const { cells } = await client.call(CellService.method.list, { cellName: "default" });

  assert.equal(cells[0]?.cell?.limits?.pidsMax, 1024);
  assert.equal(readLimit("default", ["pids.max"]), "1024");
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
  assert.ok(peak > 0n && peak <= limits.memoryMaxBytes + 1_048_576n, `peak ${peak}`);
  await client.free("greedy");
});

test("every limit is in the kernel's files as it was asked for", { skip: needsRoot }, async () => {
  const limits = {
    ...{ cpuQuotaUs: 150_000n, cpuPeriodUs: 50_000n, memoryMaxBytes: 33_554_432n, pidsMax: 99 },
    cpusetCpus: "0",
  };
  await client.allocate({ name: "limits", cpuShares: 2048n, limits });

  assert.equal(readLimit("limits", ["pids.max"]), "99");
  assert.equal(readLimit("limits", ["memory.limit_in_bytes", "memory.max"]), "33554432");
  assert.equal(readLimit("limits", ["cpuset.cpus"]), "0");
  assert.match(readLimit("limits", ["cpu.cfs_quota_us", "cpu.max"]), /^150000( 50000)?$/);
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
  const refused = client.allocate({ name: "low", limits: { memoryLowBytes: 4096n } });

  // Version 2 has it; version 1 says what is missing.
  await refused.then(
    () => client.free("low"),
    (error: Error) => assert.match(error.message, /memory\.low/),
  );
});

test("a child has no more than its parent", { skip: needsRoot }, async () => {
  await client.allocate({ name: "parent", limits: { memoryMaxBytes: 16_777_216n } });
  await client.allocate({ name: "parent/child", limits: { memoryMaxBytes: 268_435_456n } });

  const { end } = await client.run("parent/child", "x=1234567890; while :; do x=$x$x; done");

  assert.notEqual(end?.exitCode, 0);
  assert.ok((end?.usage?.memoryPeakBytes ?? 0n) <= 17_825_792n);
  await client.free("parent");
});
