import type { RequestMark } from "../requests/request-mark.ts";
import type { RequestMemory } from "../requests/request-memory.ts";
import type { CellName } from "./cell-name.ts";
import type { CellSpec } from "./cell-spec.ts";
import type { ExecutableName, ExecutableSpec } from "./executable-spec.ts";
import type { RunEnd } from "./run-end.ts";

/**
 * The machine as the domain sees it: where cells are made. `linux` implements it on the kernel,
 * {@link FakeHost} for tests; `host.suite.ts` holds both to what is written here.
 *
 * What is given the mark of a request bears it from its commit on: when we die then, the next daemon
 * finds the answer in `requests`, or goes on with what was begun. What throws leaves no mark.
 */
export interface CellHost {
  /** Whether the controllers that limit cells are cgroup v2's. */
  readonly cgroupV2: boolean;
  /** The answers to requests that had a mark. */
  readonly requests: RequestMemory;

  /**
   * Make a cell: cgroups with limits that were read back, namespaces, a supervisor. When it fails,
   * nothing is left. `parent` is where it goes inside; it must not have been ended.
   *
   * @throws Failure `wrong-state` (a limit or isolation the host cannot hold), `exhausted`, `host`
   */
  enclose(request: EncloseRequest): Promise<Enclosure>;

  /** The cells that outlived an earlier daemon, parents before their children. Called once, first. */
  adopt(): Promise<readonly AdoptedCell[]>;
}

export interface EncloseRequest {
  readonly name: CellName;
  readonly spec: CellSpec;
  readonly parent: Enclosure | undefined;
  readonly mark?: RequestMark | undefined;
}

/** A cell that exists on the machine. Its owner ends it; nothing else does. */
export interface Enclosure {
  /** 16 hex digits, drawn by the host; logs are kept under it. */
  readonly id: string;

  /**
   * Where news of the cell go from now on. News that came earlier are told at once, in order.
   * Called once, by the owner.
   */
  attach(watcher: EnclosureWatcher): void;

  /**
   * Run a program; resolves when exec has succeeded. The number of a run is the caller's, unique in
   * the cell and growing.
   *
   * @throws Failure `wrong-state` (not found, not executable, working directory, the cell ends),
   *   `invalid` (arguments too long), `exhausted`, `unavailable`, `host`; nothing runs then
   */
  start(run: number, spec: ExecutableSpec, mark?: RequestMark): Promise<StartedRun>;

  /**
   * What of the limits does not hold any more since somebody else changed it, a sentence each, as
   * looked at now. When all that limits the cell is gone, the watcher is told that it failed.
   */
  changedLimits(): readonly string[];

  /**
   * End every process of a run: SIGTERM, after the grace SIGKILL. Resolves when none is left and
   * what it wrote is in its log; the watcher has been told before. Fine for a run that has ended.
   * A second call while the first waits can only shorten the grace; both resolve at the end.
   *
   * @throws Failure `too-slow` when the kernel does not let go of what was killed. It ends all the
   *   same, as soon as it can, and the watcher is told; to wait for that, call it again
   */
  stop(run: number, graceMs: number, mark?: RequestMark): Promise<void>;

  /**
   * It is to be ended: who comes after us goes on with that, and with what is inside. Called again, the
   * last grace holds, and all marks. It never throws: without room for it, a crash leaves the cell.
   */
  markEnding(graceMs: number, mark?: RequestMark): void;

  /** It is not to be ended after all. */
  unmarkEnding(): void;

  /**
   * End all that runs, with one grace for all, and remove every trace but the logs. Resolves when
   * nothing is left; the watcher has been told of every end before. From its first moment on start()
   * is refused, also when it throws; it can be called again then. It may be called again before, with
   * a nearer deadline: that holds, and the first call may then throw. `too-slow` as for stop().
   */
  end(graceMs: number): Promise<void>;
}

export interface EnclosureWatcher {
  /** A run has changed: its main process ended, its tree is empty, its log is complete. */
  runChanged(report: RunReport): void;
  /**
   * The cell's init or supervisor is gone, and what ran has been reported before; or its supervisor
   * does not answer, and what runs goes on. Told at most once.
   */
  failed(why: string): void;
}

export interface StartedRun {
  /** As the daemon sees it. */
  readonly pid: number;
  /** Nanoseconds since the UNIX epoch. */
  readonly startedAtNs: bigint;
}

/** What is known of a run. Once true, `treeIsEmpty` and `logIsComplete` stay true, and `end` stays. */
export interface RunReport extends StartedRun {
  readonly run: number;
  readonly executable: ExecutableName;
  /** Absent while the main process runs. */
  readonly end?: RunEnd;
  readonly treeIsEmpty: boolean;
  readonly logIsComplete: boolean;
}

export interface AdoptedCell {
  readonly name: CellName;
  readonly spec: CellSpec;
  readonly enclosure: Enclosure;
  /** Every run that is known, oldest first. */
  readonly runs: readonly AdoptedRun[];
  /** Why the cell is not usable any more, when it is not. */
  readonly failed?: string;
}

/** A run that an earlier daemon began, with what was asked for. */
export interface AdoptedRun {
  readonly report: RunReport;
  readonly spec: ExecutableSpec;
  /** Stops that were begun, and not answered. */
  readonly stops?: readonly MarkedStop[];
}

/** A stop of a run that had a mark. */
export interface MarkedStop {
  readonly graceMs: number;
  readonly mark: RequestMark;
}
