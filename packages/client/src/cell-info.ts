import { CellState, type CellStatus, type ExecutableStatus, RunState } from "@aurae/api/runtime";
import { type HeldLimits, readLimits, readShares, type Shareable } from "./limits.ts";
import { type End, readEnd } from "./run-end.ts";
import { toDate } from "./time.ts";

/** A cell as it was at the moment of the answer. */
export interface CellInfo {
  readonly name: string;
  /** `unknown` is a state that a newer daemon has. */
  readonly state: "allocating" | "allocated" | "failed" | "freeing" | "unknown";
  /** Why it failed. Empty otherwise. */
  readonly reason: string;
  readonly cgroupV2: boolean;
  /** The limits that hold, the default of `pids` among them. */
  readonly limits: HeldLimits;
  readonly share: readonly Shareable[];
  readonly labels: Readonly<Record<string, string>>;
  /** Sorted by name: what runs, and the latest run of what has ended. */
  readonly executables: readonly ExecutableInfo[];
  /** Sorted by name. */
  readonly children: readonly CellInfo[];
}

/** The latest run of an executable. */
export interface ExecutableInfo {
  readonly name: string;
  readonly cell: string;
  readonly state: "starting" | "running" | "stopping" | "ended" | "unknown";
  /** The first is 1. */
  readonly run: bigint;
  /** The process as the daemon sees it. Absent while it is starting. */
  readonly pid?: number;
  readonly startedAt: Date;
  readonly command: string;
  readonly args: readonly string[];
  readonly description: string;
  /** Only when it has ended. */
  readonly end?: End;
}

export function readCellInfo(status: CellStatus): CellInfo {
  const { cell, state, reason, cgroupV2, executables, children } = status;
  return {
    name: cell?.name ?? "",
    state: cellStates[state] ?? "unknown",
    reason,
    cgroupV2,
    limits: cell === undefined ? {} : readLimits(cell),
    share: cell === undefined ? [] : readShares(cell),
    labels: cell?.labels ?? {},
    executables: executables.map(readExecutableInfo),
    children: children.map(readCellInfo),
  };
}

export function readExecutableInfo(status: ExecutableStatus): ExecutableInfo {
  const { executable, state, run, pid, startedAtNs, end } = status;
  return {
    name: executable?.name ?? "",
    cell: executable?.cellName ?? "",
    state: runStates[state] ?? "unknown",
    run,
    ...(pid !== 0n && { pid: Number(pid) }),
    startedAt: toDate(startedAtNs),
    command: executable?.command ?? "",
    args: executable?.args ?? [],
    description: executable?.description ?? "",
    ...(end && { end: readEnd(end) }),
  };
}

const cellStates: Readonly<Record<CellState, CellInfo["state"]>> = {
  [CellState.UNSPECIFIED]: "unknown",
  [CellState.ALLOCATING]: "allocating",
  [CellState.ALLOCATED]: "allocated",
  [CellState.FAILED]: "failed",
  [CellState.FREEING]: "freeing",
};

const runStates: Readonly<Record<RunState, ExecutableInfo["state"]>> = {
  [RunState.UNSPECIFIED]: "unknown",
  [RunState.STARTING]: "starting",
  [RunState.RUNNING]: "running",
  [RunState.STOPPING]: "stopping",
  [RunState.ENDED]: "ended",
};
