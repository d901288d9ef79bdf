/**
 * What a cell may use, it and its children together; the units are those of api/runtime.proto.
 * Absent leaves the kernel's default.
 */
export interface Limits {
  /** cgroup v1's unit, 2–262144. Never together with `cpuWeight`. */
  readonly cpuShares?: number;
  /** cgroup v2's unit, 1–10000. */
  readonly cpuWeight?: number;
  readonly cpuQuotaUs?: number;
  /** Only together with `cpuQuotaUs`. */
  readonly cpuPeriodUs?: number;
  readonly memoryMaxBytes?: bigint;
  readonly memoryHighBytes?: bigint;
  readonly memoryLowBytes?: bigint;
  readonly memoryMinBytes?: bigint;
  /** Only together with `memoryMaxBytes`. */
  readonly memorySwapMaxBytes?: bigint;
  /** A list as the kernel takes it: "0-2,4". */
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pidsMax: number;
}

/** Processes and threads of a cell that did not say: a fork bomb ends here. */
export const defaultPidsMax = 1024;
