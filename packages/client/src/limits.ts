import type { Cell, IsolationSchema, Limits, LimitsSchema } from "@aurae/api/runtime";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { dropAbsent } from "./present.ts";
import { parseSize, type Size } from "./size.ts";

/** What a cell may use, it and its children together. Absent is the kernel's default, unless said. */
export interface CellLimits {
  /** CPU time as a number of CPUs: 1.5 is one and a half. */
  readonly cpus?: number | undefined;
  /** CPU time beside others when the machine is busy, 1–10000; the kernel's default is 100. */
  readonly cpuWeight?: number | undefined;
  /** The same in cgroup version 1's unit, 2–262144. Not together with `cpuWeight`. */
  readonly cpuShares?: number | undefined;
  /** CPUs the cell may run on, as the kernel lists them: `"0-2,4"`. */
  readonly cpuset?: string | undefined;
  /** Memory nodes, in the same form. */
  readonly cpusetMems?: string | undefined;
  /** Above this the kernel reclaims, then kills: `"512M"`, or several limits. */
  readonly memory?: Size | MemoryLimits | undefined;
  /** Processes and threads, 3–4194304. Absent: 1024. */
  readonly pids?: number | undefined;
}

/** What a cell may use of memory. All but `max` and `swap` need cgroup version 2. */
export interface MemoryLimits {
  /** Above this the kernel reclaims, then kills. */
  readonly max?: Size | undefined;
  /** Above this the cell is slowed and reclaimed. */
  readonly high?: Size | undefined;
  /** Below this the cell is reclaimed last. */
  readonly low?: Size | undefined;
  /** Below this the cell is never reclaimed. */
  readonly min?: Size | undefined;
  /** Swap beside `max`, which must be given; 0 is none. */
  readonly swap?: Size | undefined;
}

/** The limits that hold, as the daemon reports them. */
export interface HeldLimits {
  readonly cpus?: number;
  readonly cpuWeight?: number;
  readonly cpuShares?: number;
  readonly cpuset?: string;
  readonly cpusetMems?: string;
  readonly memoryMaxBytes?: bigint;
  readonly memoryHighBytes?: bigint;
  readonly memoryLowBytes?: bigint;
  readonly memoryMinBytes?: bigint;
  readonly memorySwapMaxBytes?: bigint;
  readonly pids?: number;
}

/** What a cell can share with its parent, a cell at the root with the host. */
export type Shareable = (typeof shareables)[number];

/** Everything that can be shared, in the order of the proto. */
export const shareables = ["mount", "uts", "ipc", "pid", "network", "cgroup"] as const;

/** The period that a number of CPUs is counted in, microseconds: the kernel's default. */
const periodUs = 100_000;

export function toLimits(limits: CellLimits): MessageInitShape<typeof LimitsSchema> {
  const { cpus, cpuWeight, cpuset = "", cpusetMems = "", pids } = limits;
  const memory = toMemoryLimits(limits.memory);
  return {
    ...(cpuWeight !== undefined && { cpuWeight }),
    ...(cpus !== undefined && { cpuQuotaUs: BigInt(Math.round(cpus * periodUs)) }),
    ...(memory.max !== undefined && { memoryMaxBytes: parseSize(memory.max) }),
    ...(memory.high !== undefined && { memoryHighBytes: parseSize(memory.high) }),
    ...(memory.low !== undefined && { memoryLowBytes: parseSize(memory.low) }),
    ...(memory.min !== undefined && { memoryMinBytes: parseSize(memory.min) }),
    ...(memory.swap !== undefined && { memorySwapMaxBytes: parseSize(memory.swap) }),
    cpusetCpus: cpuset,
    cpusetMems,
    ...(pids !== undefined && { pidsMax: pids }),
  };
}

export function toIsolation(share: readonly Shareable[]): MessageInitShape<typeof IsolationSchema> {
  return {
    shareMount: share.includes("mount"),
    shareUts: share.includes("uts"),
    shareIpc: share.includes("ipc"),
    sharePid: share.includes("pid"),
    shareNetwork: share.includes("network"),
    shareCgroup: share.includes("cgroup"),
  };
}

export function readLimits(cell: Cell): HeldLimits {
  const limits = cell.limits;
  return {
    ...(cell.cpuShares !== 0n && { cpuShares: Number(cell.cpuShares) }),
    ...(limits && readPresent(limits)),
  };
}

export function readShares(cell: Cell): readonly Shareable[] {
  const isolation = cell.isolation;
  if (isolation === undefined) return [];
  const shared = {
    mount: isolation.shareMount,
    uts: isolation.shareUts,
    ipc: isolation.shareIpc,
    pid: isolation.sharePid,
    network: isolation.shareNetwork,
    cgroup: isolation.shareCgroup,
  } as const satisfies Record<Shareable, boolean>;
  return shareables.filter((name) => shared[name]);
}

function readPresent(limits: Limits): HeldLimits {
  const { cpuQuotaUs, cpuPeriodUs, cpusetCpus, cpusetMems, pidsMax } = limits;
  const cpus =
    cpuQuotaUs === undefined ? undefined : Number(cpuQuotaUs) / Number(cpuPeriodUs ?? periodUs);
  return dropAbsent({
    cpus,
    cpuWeight: limits.cpuWeight,
    cpuset: cpusetCpus === "" ? undefined : cpusetCpus,
    cpusetMems: cpusetMems === "" ? undefined : cpusetMems,
    memoryMaxBytes: limits.memoryMaxBytes,
    memoryHighBytes: limits.memoryHighBytes,
    memoryLowBytes: limits.memoryLowBytes,
    memoryMinBytes: limits.memoryMinBytes,
    memorySwapMaxBytes: limits.memorySwapMaxBytes,
    pids: pidsMax,
  });
}

function toMemoryLimits(memory: CellLimits["memory"]): MemoryLimits {
  return typeof memory === "object" ? memory : { max: memory };
}
