import assert from "node:assert/strict";
import { test } from "node:test";
import type { Limits } from "@aurae/domain/cells";
import { sharesToWeight, weightToShares } from "./cpu.ts";
import { holds, type LimitWrite } from "./limit-write.ts";
import { planLimits } from "./limits.ts";

const all: Limits = {
  cpuShares: 512,
  cpuQuotaUs: 50_000,
  memoryMaxBytes: 8192n,
  memorySwapMaxBytes: 4096n,
  cpusetCpus: "0-1",
  pidsMax: 7,
};

test("planLimits() writes the limit of memory before that of memory and swap on version 1", () => {
  assert.deepEqual(plan(all, 1), [
    "cpuset.cpus=0-1",
    "cpu.shares=512",
    "cpu.cfs_quota_us=50000",
    "memory.limit_in_bytes=8192",
    "memory.memsw.limit_in_bytes=12288",
    "pids.max=7",
  ]);
});

test("planLimits() gives version 2 a weight, and quota with period", () => {
  assert.deepEqual(plan(all, 2), [
    "cpuset.cpus=0-1",
    "cpu.weight=59",
    "cpu.max=50000 100000",
    "memory.max=8192",
    "memory.swap.max=4096",
    "pids.max=7",
  ]);
});

test("planLimits() writes a period of version 1 before the quota that is of it", () => {
  const limits = { pidsMax: 7, cpuQuotaUs: 2000, cpuPeriodUs: 10_000 };

  assert.deepEqual(plan(limits, 1).slice(0, 2), [
    "cpu.cfs_period_us=10000",
    "cpu.cfs_quota_us=2000",
  ]);
  assert.equal(plan(limits, 2)[0], "cpu.max=2000 10000");
});

for (const [shares, weight] of [
  [2, 1],
  [100, 17],
  [1024, 100],
  [262_144, 10_000],
] as const) {
  test(`sharesToWeight() takes ${shares} to ${weight}`, () => {
    assert.equal(sharesToWeight(shares), weight);
  });
}

test("sharesToWeight() never falls, and never leaves 1 to 10000", () => {
  let last = 1;
  for (let shares = 2; shares <= 262_144; shares += 61) {
    const weight = sharesToWeight(shares);
    assert.ok(weight >= last && weight <= 10_000, `${shares} is ${weight} after ${last}`);
    last = weight;
  }
});

test("weightToShares() takes the default to the default, and stays in bounds", () => {
  assert.deepEqual([1, 100, 10_000].map(weightToShares), [10, 1024, 102_400]);
});

for (const [compare, value, actual, expected] of [
  ["exact", "512", "512\n", true],
  ["exact", "512", "511\n", false],
  ["exact", "50000 100000", "50000 100000\n", true],
  ["bytes", "10000000", "9998336\n", true],
  ["bytes", "10000000", "10002432\n", false],
  ["bytes", "10000000", "max\n", false],
  ["bytes", "9223372036854775807", "max\n", true],
  ["bytes", "9223372036854775807", "9223372036854771712\n", true],
  ["bytes", "10000000", "\n", false],
  ["set", "0-2,4", "0-2,4\n", true],
  ["set", "0,1,2", "0-2\n", true],
  ["set", "0-2", "0-1\n", false],
  ["set", "0", "\n", false],
] as const) {
  test(`holds() says ${expected} of ${value} read as ${actual.trim()} (${compare})`, () => {
    const write: LimitWrite = { controller: "cpu", file: "f", value, compare };

    assert.equal(holds(write, actual), expected);
  });
}

function plan(limits: Limits, version: 1 | 2): readonly string[] {
  return planLimits(limits, () => version).map(({ file, value }) => `${file}=${value}`);
}
