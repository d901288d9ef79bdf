import type { ExecutableName, StartedRun } from "@aurae/domain/cells";
import type { CellDirectory, ClosedRun } from "./cell-directory.ts";
import type { CellCgroups } from "./cgroup/cell-cgroups.ts";
import { inWords } from "./errno.ts";
import type { News } from "./news.ts";
import type { RunNews, SupervisorState } from "./shim/messages.ts";

export interface OpenRunsOptions {
  readonly cellName: string;
  readonly directory: CellDirectory;
  readonly cgroups: CellCgroups;
  readonly news: News;
  /** A run is not kept any more: its log goes. The directory stays while the name is in use. */
  readonly forgetLog: (run: ClosedRun, isInUse: boolean) => void;
  readonly warn: (message: string) => void;
}

interface OpenRun {
  readonly executable: ExecutableName;
  /** The last that was told of it; undefined until it has started. */
  readonly latest: RunNews | undefined;
}

/** The runs of a cell of which something is left to come, and the cgroups made for them. */
export class OpenRuns {
  readonly #options: OpenRunsOptions;
  readonly #runs = new Map<number, OpenRun>();
  /** Which run a directory was made for: its name is used again, by other runs. */
  readonly #leaves = new Map<ExecutableName, number>();

  constructor(options: OpenRunsOptions) {
    this.#options = options;
  }

  /** Take runs that were open when their supervisor was found again. */
  adopt(news: readonly RunNews[]): void {
    for (const latest of news) {
      const { run, executable } = latest.record;
      if (!latest.treeIsEmpty) this.#leaves.set(executable, run);
      this.#runs.set(run, { executable, latest });
    }
  }

  /** Make what a run needs before it can be started. */
  begin(run: number, executable: ExecutableName): void {
    this.#runs.set(run, { executable, latest: undefined });
    this.#options.cgroups.makeExecutable(executable);
    this.#leaves.set(executable, run);
  }

  /** It was not started: what was made for it goes. */
  async forget(run: number, executable: ExecutableName): Promise<void> {
    const { cgroups, cellName, warn } = this.#options;
    this.#runs.delete(run);
    if (this.#leaves.get(executable) !== run) return;
    this.#leaves.delete(executable);
    try {
      if (cgroups.removeExecutable(executable)) return;
      await cgroups.removeExecutableWhenEmpty(executable);
    } catch (cause) {
      warn(`Cannot undo the start of "${executable}" in cell "${cellName}": ${inWords(cause)}`);
    }
  }

  /** It runs, as its supervisor says: known even when no record of it can be read. */
  started(run: number, executable: ExecutableName, started: StartedRun): void {
    const known = this.#runs.get(run);
    // What came after may have been told before.
    if (known === undefined || known.latest !== undefined) return;
    const { pid, startedAtNs } = started;
    const record = { run, executable, pid, startedAtNs };
    const latest = { record, treeIsEmpty: false, logIsComplete: false };
    this.#runs.set(run, { executable, latest });
  }

  /** Tell of a run; when its tree is empty, its cgroups go. */
  changed(news: RunNews): void {
    const { run, executable } = news.record;
    this.#runs.set(run, { executable, latest: news });
    this.#report(news);
    if (!(news.treeIsEmpty && news.logIsComplete)) return;
    this.#runs.delete(run);
    const oldest = this.#options.directory.runClosed(news.record);
    if (oldest !== undefined) this.#forgetLog(oldest);
  }

  /** The pids of a run, as far as its directory is its own still. */
  processes(run: number): readonly string[] {
    const executable = this.#runs.get(run)?.executable;
    if (executable === undefined || this.#leaves.get(executable) !== run) return [];
    return this.#options.cgroups.processes(executable);
  }

  /** Catch up with what happened while nobody listened. */
  reconnected(state: SupervisorState): void {
    const known = new Set(state.runs.map(({ record }) => record.run));
    for (const news of state.runs) this.changed(news);
    // Those that were closed meanwhile the supervisor has forgotten, but wrote down.
    for (const run of this.#numbers) if (!known.has(run)) this.#closeFromRecord(run);
  }

  /** Nobody will tell of them any more: each ended as its record says, or is lost. */
  closeAll(): void {
    for (const run of this.#numbers) this.#closeFromRecord(run);
  }

  get #numbers(): readonly number[] {
    return [...this.#runs.keys()];
  }

  #report({ record, treeIsEmpty, logIsComplete }: RunNews): void {
    const { run, executable } = record;
    const report = { ...record, treeIsEmpty, logIsComplete };
    this.#options.news.tell((watcher) => watcher.runChanged(report));
    if (!treeIsEmpty || this.#leaves.get(executable) !== run) return;
    this.#leaves.delete(executable);
    this.#afterwards(executable, () => {
      // The next run of the name may have it by now; one that stays, it makes anew, or end() removes.
      if (!this.#leaves.has(executable)) this.#options.cgroups.removeExecutable(executable);
    });
  }

  #forgetLog(oldest: ClosedRun): void {
    this.#afterwards(oldest.executable, () => {
      const open = [...this.#runs.values()];
      const isInUse = open.some(({ executable }) => executable === oldest.executable);
      this.#options.forgetLog(oldest, isInUse);
    });
  }

  /** In a later turn: whoever waits for the end of a run does not wait for directories. */
  #afterwards(executable: ExecutableName, clean: () => void): void {
    const { cellName, warn } = this.#options;
    setImmediate(() => {
      try {
        clean();
      } catch (cause) {
        warn(`Cannot clean up after "${executable}" in cell "${cellName}": ${inWords(cause)}`);
      }
    });
  }

  #closeFromRecord(run: number): void {
    const record = this.#readRecord(run) ?? this.#runs.get(run)?.latest?.record;
    // Without a record its exec has not succeeded: start() says so.
    if (record === undefined) return;
    const end = record.end ?? lostNow();
    this.changed({ record: { ...record, end }, treeIsEmpty: true, logIsComplete: true });
  }

  #readRecord(run: number): RunNews["record"] | undefined {
    const { directory, cellName, warn } = this.#options;
    try {
      return directory.readRecord(run);
    } catch (cause) {
      warn(`Cannot read the record of run ${run} in cell "${cellName}": ${inWords(cause)}`);
      return undefined;
    }
  }
}

/** The end of a run whose supervisor died: of it neither code nor signal is known. */
export function lostNow(): NonNullable<RunNews["record"]["end"]> {
  const endedAtNs = BigInt(Date.now()) * 1_000_000n;
  return { reason: "lost", coreDumped: false, endedAtNs, usage: {}, linesDropped: 0n };
}
