import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Failure } from "../errors.ts";
import { parseCell, type RawCell } from "./parse-cell.ts";
import type { RawLimits } from "./parse-limits.ts";

const cell: RawCell = { name: "web", cpuShares: 0n, labels: {} };
const share = {
  shareMount: false,
  shareUts: false,
  shareIpc: false,
  sharePid: false,
  shareNetwork: false,
  shareCgroup: false,
};

/** The fields that are refused, or none. */
function violated(change: Partial<RawCell>): readonly string[] {
  try {
    parseCell({ ...cell, ...change });
    return [];
  } catch (error) {
    assert.ok(error instanceof Failure);
    return error.violations.map(({ field }) => field);
  }
}

function violatedLimits(limits: Partial<RawLimits>, cpuShares = 0n): readonly string[] {
  return violated({ cpuShares, limits: { cpusetCpus: "", cpusetMems: "", ...limits } });
}

test("parseCell() gives a cell without limits the default of pids, and shares nothing", () => {
  const { name, spec } = parseCell(cell);

  assert.deepEqual([name, spec.limits, spec.shared.size], ["web", { pidsMax: 1024 }, 0]);
});

test("parseCell() names every violation at once", () => {
  const bad = {
    name: "..",
    cpuShares: 1n,
    labels: { No: "" },
    limits: { cpusetCpus: "1-", cpusetMems: "", pidsMax: 2 },
  };

  const expected = [
    "cell.name",
    "cell.cpu_shares",
    "cell.limits.cpuset_cpus",
    "cell.limits.pids_max",
    "cell.labels",
  ];
  assert.deepEqual([...violated(bad)].sort(), expected.sort());
});

test("parseCell() asks for the cell when there is none", () => {
  assert.throws(() => parseCell(undefined), { reason: "FIELD_REQUIRED" });
});

for (const [limits, field] of [
  [{ cpuWeight: 0 }, "cpu_weight"],
  [{ cpuWeight: 10001 }, "cpu_weight"],
  [{ cpuQuotaUs: 999n }, "cpu_quota_us"],
  [{ cpuPeriodUs: 100000n }, "cpu_period_us"],
  [{ cpuQuotaUs: 1000n, cpuPeriodUs: 1_000_001n }, "cpu_period_us"],
  [{ memoryMaxBytes: 0n }, "memory_max_bytes"],
  [{ memoryMaxBytes: 2n ** 63n - 1n }, "memory_max_bytes"],
  [{ memorySwapMaxBytes: 0n }, "memory_swap_max_bytes"],
  [{ pidsMax: 4294967295 }, "pids_max"],
  [{ cpusetCpus: "0-4294967295" }, "cpuset_cpus"],
  [{ cpusetCpus: "1,,2" }, "cpuset_cpus"],
  [{ cpusetCpus: "1-23-4" }, "cpuset_cpus"],
  [{ cpusetMems: "4-1" }, "cpuset_mems"],
  [{ cpusetCpus: "1,".repeat(500_000) }, "cpuset_cpus"],
] as const satisfies readonly (readonly [Partial<RawLimits>, string])[]) {
  test(`parseCell() refuses a wrong ${field} (fault 75): ${Object.values(limits).join(" ").slice(0, 40)}`, () => {
    assert.deepEqual(violatedLimits(limits), [`cell.limits.${field}`]);
  });
}

test("parseCell() takes weight or shares, not both", () => {
  assert.deepEqual(violatedLimits({ cpuWeight: 100 }, 1024n), ["cell.limits.cpu_weight"]);
  assert.deepEqual(violatedLimits({ cpuWeight: 100 }), []);
  assert.deepEqual(violatedLimits({}, 262144n), []);
  assert.deepEqual(violatedLimits({}, 262145n), ["cell.cpu_shares"]);
});

test("parseCell() takes a shared mount table only with shared pids", () => {
  assert.deepEqual(violated({ isolation: { ...share, shareMount: true } }), [
    "cell.isolation.share_mount",
  ]);
  assert.deepEqual(violated({ isolation: { ...share, shareMount: true, sharePid: true } }), []);
});

test("parseCell() throws nothing but a Failure, whatever comes", () => {
  const limits = fc.record(
    {
      cpusetCpus: fc.string(),
      cpusetMems: fc.string(),
      memoryMaxBytes: fc.bigInt(),
      pidsMax: fc.integer(),
    },
    { requiredKeys: ["cpusetCpus", "cpusetMems"] },
  );
  const raw = fc.record({
    name: fc.string(),
    cpuShares: fc.bigInt(),
    limits,
    labels: fc.dictionary(fc.string(), fc.string()),
  });

  fc.assert(
    fc.property(raw, (given) => violated(given).every((field) => field.startsWith("cell"))),
  );
});
