import type { Limits } from "@aurae/domain/cells";
import type { LimitWrite } from "./limit-write.ts";

const defaultPeriodUs = 100_000;

/** The writes for time on the processors: a part of it when they are busy, and a quota always. */
export function cpuWrites(limits: Limits, version: 1 | 2): readonly LimitWrite[] {
  return version === 1 ? writesOfV1(limits) : writesOfV2(limits);
}

/** @see https://docs.kernel.org/scheduler/sched-bwc.html */
function writesOfV1(limits: Limits): readonly LimitWrite[] {
  const { cpuShares, cpuWeight, cpuQuotaUs, cpuPeriodUs } = limits;
  const shares = cpuShares ?? (cpuWeight === undefined ? undefined : weightToShares(cpuWeight));
  return [
    ...(shares === undefined ? [] : [write("cpu.shares", shares)]),
    // The period first: a quota is refused when it is too much of the period that stands there.
    ...(cpuPeriodUs === undefined ? [] : [write("cpu.cfs_period_us", cpuPeriodUs)]),
    ...(cpuQuotaUs === undefined ? [] : [write("cpu.cfs_quota_us", cpuQuotaUs)]),
  ];
}

/** @see https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files */
function writesOfV2(limits: Limits): readonly LimitWrite[] {
  const { cpuShares, cpuWeight, cpuQuotaUs, cpuPeriodUs = defaultPeriodUs } = limits;
  const weight = cpuWeight ?? (cpuShares === undefined ? undefined : sharesToWeight(cpuShares));
  return [
    ...(weight === undefined ? [] : [write("cpu.weight", weight)]),
    ...(cpuQuotaUs === undefined ? [] : [write("cpu.max", `${cpuQuotaUs} ${cpuPeriodUs}`)]),
  ];
}

/**
 * The weight that means the same as shares, through (2, 1), (1024, 100) and (262144, 10000): the
 * curve that the container runtimes agreed on.
 * @see https://github.com/opencontainers/cgroups/pull/20
 */
export function sharesToWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const l = Math.log2(shares);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
}

/** Default is default: weight 100 is shares 1024. Between them it is linear, as the scheduler is. */
export function weightToShares(weight: number): number {
  return Math.min(262_144, Math.max(2, Math.round((weight * 1024) / 100)));
}

function write(file: string, value: number | string): LimitWrite {
  return { controller: "cpu", file, value: String(value), compare: "exact" };
}
