import type { Violations } from "../violations.ts";
import { parseCpuList } from "./cpu-list.ts";
import { defaultPidsMax, type Limits } from "./limits.ts";

/** Limits as they come from outside: `runtime.Limits` of the wire fits. */
export interface RawLimits {
  readonly cpuWeight?: number | undefined;
  readonly cpuQuotaUs?: bigint | undefined;
  readonly cpuPeriodUs?: bigint | undefined;
  readonly memoryMaxBytes?: bigint | undefined;
  readonly memoryHighBytes?: bigint | undefined;
  readonly memoryLowBytes?: bigint | undefined;
  readonly memoryMinBytes?: bigint | undefined;
  readonly memorySwapMaxBytes?: bigint | undefined;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly pidsMax?: number | undefined;
}

const noLimits: RawLimits = { cpusetCpus: "", cpusetMems: "" };

/** The most the kernel's counters hold in whole pages, rounded to a power of two. */
const maxBytes = 2n ** 62n;
/** `max_cfs_runtime` of the kernel's scheduler, in microseconds. */
const maxQuotaUs = 2n ** 44n - 1n;

/** The limits of a cell, with the default of pids; what is wrong is noted under `at`. */
export function parseLimits(
  cpuShares: bigint,
  raw: RawLimits | undefined,
  at: string,
  violations: Violations,
): Limits {
  const given = raw ?? noLimits;
  const limits = `${at}.limits`;

  /** The value when it is given and in range; otherwise noted, if it is given. */
  function within<T extends number | bigint>(
    field: string,
    value: T | undefined,
    low: T,
    high: T,
  ): T | undefined {
    if (value === undefined || (value >= low && value <= high)) return value;
    violations.add(field, "LIMIT_OUT_OF_RANGE", `must be ${low}–${high}, not ${value}`);
    return undefined;
  }
  function needs(field: string, value: unknown, other: string, present: unknown): void {
    if (value !== undefined && present === undefined)
      violations.add(field, "FIELD_INVALID", `needs ${other}`);
  }

  if (cpuShares !== 0n && given.cpuWeight !== undefined) {
    violations.add(
      `${limits}.cpu_weight`,
      "FIELD_INVALID",
      `must not come together with ${at}.cpu_shares`,
    );
  }
  needs(`${limits}.cpu_period_us`, given.cpuPeriodUs, `${limits}.cpu_quota_us`, given.cpuQuotaUs);
  needs(
    `${limits}.memory_swap_max_bytes`,
    given.memorySwapMaxBytes,
    `${limits}.memory_max_bytes`,
    given.memoryMaxBytes,
  );

  return withoutAbsent({
    cpuShares: toNumber(
      within(`${at}.cpu_shares`, cpuShares === 0n ? undefined : cpuShares, 2n, 262144n),
    ),
    cpuWeight: within(`${limits}.cpu_weight`, given.cpuWeight, 1, 10000),
    cpuQuotaUs: toNumber(within(`${limits}.cpu_quota_us`, given.cpuQuotaUs, 1000n, maxQuotaUs)),
    cpuPeriodUs: toNumber(within(`${limits}.cpu_period_us`, given.cpuPeriodUs, 1000n, 1_000_000n)),
    memoryMaxBytes: within(
      `${limits}.memory_max_bytes`,
      given.memoryMaxBytes,
      1_048_576n,
      maxBytes,
    ),
    memoryHighBytes: within(
      `${limits}.memory_high_bytes`,
      given.memoryHighBytes,
      1_048_576n,
      maxBytes,
    ),
    memoryLowBytes: within(`${limits}.memory_low_bytes`, given.memoryLowBytes, 0n, maxBytes),
    memoryMinBytes: within(`${limits}.memory_min_bytes`, given.memoryMinBytes, 0n, maxBytes),
    memorySwapMaxBytes: within(
      `${limits}.memory_swap_max_bytes`,
      given.memorySwapMaxBytes,
      0n,
      maxBytes,
    ),
    cpusetCpus: listOf(`${limits}.cpuset_cpus`, given.cpusetCpus, violations),
    cpusetMems: listOf(`${limits}.cpuset_mems`, given.cpusetMems, violations),
    pidsMax: within(`${limits}.pids_max`, given.pidsMax, 3, 4_194_304) ?? defaultPidsMax,
  });
}

function listOf(field: string, text: string, violations: Violations): string | undefined {
  return text === "" ? undefined : violations.take(field, "FIELD_INVALID", parseCpuList(text));
}

function toNumber(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

/** The same object without the members that are undefined. */
function withoutAbsent(
  limits: { readonly [Key in keyof Limits]: Limits[Key] | undefined },
): Limits {
  return Object.fromEntries(
    Object.entries(limits).filter(([, value]) => value !== undefined),
  ) as unknown as Limits;
}
