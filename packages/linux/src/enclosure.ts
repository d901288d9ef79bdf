import { constants } from "node:os";
import type {
  CellName,
  Enclosure,
  EnclosureWatcher,
  ExecutableSpec,
  RequestMark,
  StartedRun,
} from "@aurae/domain/cells";
import { failpoint } from "@aurae/domain/failpoints";
import { askToStart } from "./ask-to-start.ts";
import {
  cgroupsRemoved,
  describeSilence,
  type EnclosureState,
  explain,
  isRefused,
  notLive,
} from "./enclosure-failure.ts";
import type { EnclosureParts } from "./enclosure-parts.ts";
import { inWords } from "./errno.ts";
import { News } from "./news.ts";
import { OpenRuns } from "./open-runs.ts";
import { CellMarks } from "./requests/cell-marks.ts";
import { ChannelClosed, Refused } from "./shim/channel.ts";
import type { ProcessIdentity, RunNews, SupervisorState } from "./shim/messages.ts";
import type { Supervisor, SupervisorWatcher } from "./shim/supervisor.ts";
import { Stops } from "./stops.ts";
import { awaitEnd } from "./unended.ts";

/**
 * A cell on this machine: directories, cgroups, and a supervisor that does the work.
 *
 *     live ──init or supervisor gone──▶ failed
 *       └──────────┬──────────────────────┘
 *               end()──▶ ending ──▶ ended        (when it throws: ending, and end() again)
 */
export class LinuxEnclosure implements Enclosure, SupervisorWatcher {
  readonly id: string;
  readonly name: CellName;
  readonly #parts: EnclosureParts;
  readonly #news = new News();
  readonly #runs: OpenRuns;
  readonly #marks: CellMarks;
  readonly #starts = new Set<Promise<unknown>>();
  readonly #stops = new Stops();
  #supervisor: Supervisor | undefined;
  #init: ProcessIdentity | undefined;
  #state: EnclosureState = "live";
  #why = "";
  /** Whether the supervisor has said that nothing is left. */
  #hasEnded = false;

  constructor(parts: EnclosureParts) {
    this.id = parts.id;
    this.name = parts.name;
    this.#parts = parts;
    this.#marks = new CellMarks(parts);
    const { id, directory, cgroups, catalog, warn } = parts;
    this.#runs = new OpenRuns({
      cellName: parts.name,
      directory,
      cgroups,
      news: this.#news,
      forgetLog: (run, isInUse) => catalog.runForgotten(id, run, isInUse),
      warn,
    });
  }

  /** The init of the cell, for cells inside it; undefined when it has died. */
  get init(): ProcessIdentity | undefined {
    return this.#init;
  }

  /** Its supervisor has made it, or has been found again with runs that are open. */
  serve(supervisor: Supervisor, init: ProcessIdentity | undefined, runs: readonly RunNews[]): void {
    this.#supervisor = supervisor;
    this.#init = init;
    this.#runs.adopt(runs);
  }

  /** It was found without a supervisor, or without an init. */
  markFailed(why: string): void {
    this.#state = "failed";
    this.#why = why;
  }

  /** Have its supervisor end what it holds, and itself. The cell stays, failed, until it is ended. */
  async giveUp(): Promise<void> {
    await this.#endProcesses(0);
    await this.#supervisor?.left();
  }

  /** Hang up; the cell goes on. */
  leave(): void {
    this.#supervisor?.close();
  }

  attach(watcher: EnclosureWatcher): void {
    this.#news.attach(watcher);
  }

  start(run: number, spec: ExecutableSpec, mark?: RequestMark): Promise<StartedRun> {
    const task = this.#start(run, spec, mark);
    this.#starts.add(task);
    const settled = () => this.#starts.delete(task);
    task.then(settled, settled);
    return task;
  }

  changedLimits(): readonly string[] {
    if (this.#state !== "live") return [];
    const changed = this.#parts.changedLimits();
    if (changed === undefined) this.#fail(cgroupsRemoved);
    return changed ?? [];
  }

  async stop(run: number, graceMs: number, mark?: RequestMark): Promise<void> {
    this.#marks.stopping(run, graceMs, mark);
    const what = `Cannot stop run ${run} in cell "${this.name}"`;
    const timeoutMs = graceMs + this.#parts.killTimeoutMs;
    const done = this.#stops.settle(run, this.#stop(run, graceMs));
    try {
      await awaitEnd({ what, timeoutMs, done, processes: () => this.#runs.processes(run) });
    } catch (cause) {
      // Of any other failure nobody knows: the next daemon finds out.
      if (cause instanceof Refused) this.#marks.notStopping(run, mark);
      throw explain(what, cause, this.#supervisor);
    }
  }

  markEnding(graceMs: number, mark?: RequestMark): void {
    this.#marks.ending(graceMs, mark);
  }

  unmarkEnding(): void {
    this.#marks.notEnding();
  }

  async end(graceMs: number): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "ending";
    const { cgroups, killTimeoutMs } = this.#parts;
    const what = `Cannot end cell "${this.name}"`;
    const timeoutMs = graceMs + killTimeoutMs;
    this.#marks.ending(graceMs);
    const done = this.#end(graceMs);
    try {
      await awaitEnd({ what, timeoutMs, done, processes: () => cgroups.processes() });
    } catch (cause) {
      throw explain(what, cause, this.#supervisor);
    }
  }

  /* What the supervisor tells. */

  runChanged(news: RunNews): void {
    this.#take(() => this.#runs.changed(news));
  }

  reconnected(state: SupervisorState): void {
    this.#take(() => this.#runs.reconnected(state));
    if (state.init === undefined) this.#fail("its init has died");
  }

  initDied(how: number, status: number): void {
    const killed = this.#parts.cgroups.initIsOutOfMemory
      ? "was killed: the cell was out of memory"
      : `was killed by signal ${status}`;
    this.#fail(`its init ${how === 2 ? killed : `exited with ${status}`}`);
  }

  lost(): void {
    // Its init and all that it had die with it; what has pids of the host is killed by cgroup.
    this.#news.tellAfter(
      () => this.#parts.cgroups.kill().catch((cause) => this.#parts.warn(inWords(cause))),
      () => this.#runs.closeAll(),
    );
    this.#fail("supervisor lost");
  }

  silent(why: string): void {
    this.#parts.warn(
      `Cannot reach the supervisor of cell "${this.name}": ${why}; the cell runs on`,
    );
    this.#fail(describeSilence(why));
  }

  async #start(run: number, spec: ExecutableSpec, mark?: RequestMark): Promise<StartedRun> {
    const what = `Cannot start executable "${spec.name}" in cell "${this.name}"`;
    const supervisor = this.#requireLive(what);
    const { directory, catalog, disk } = this.#parts;
    disk.require(what);
    try {
      const file = mark === undefined ? spec : { ...spec, mark };
      disk.write(() => directory.writeSpec(run, file));
      failpoint("start.1.intent");
      this.#runs.begin(run, spec.name);
      const started = await askToStart(supervisor, directory, run, spec);
      this.#runs.started(run, spec.name, started);
      catalog.runStarted(this.id, { run, executable: spec.name, ...started });
      failpoint("start.6.recorded");
      return started;
    } catch (cause) {
      // Whatever it says itself, it is no wonder when they are gone.
      this.changedLimits();
      await this.#runs.forget(run, spec.name);
      directory.removeSpec(run);
      throw explain(what, cause, this.#supervisor);
    }
  }

  async #stop(run: number, graceMs: number): Promise<void> {
    const supervisor = this.#supervisor;
    failpoint("stop.1.intent");
    if (supervisor !== undefined && !supervisor.isLost && !this.#hasEnded) {
      try {
        await supervisor.stop(run, constants.signals.SIGTERM, graceMs);
      } catch (cause) {
        // It has forgotten a run that is closed; one that is lost, and one whose cell ends, has no
        // process any more when it hangs up.
        const hasNone =
          supervisor.isLost || (cause instanceof ChannelClosed && this.#state === "ending");
        if (!isRefused(cause, "run") && !hasNone) throw cause;
      }
    }
    await this.#news.told;
    failpoint("stop.7.committed");
  }

  async #end(graceMs: number): Promise<void> {
    const { directory, cgroups, catalog, spare, ended } = this.#parts;
    await this.#endProcesses(graceMs);
    failpoint("free.6.mounts");
    await Promise.allSettled(this.#starts);
    await this.#news.told;
    if (!spare.lend(() => cgroups.tryRemove())) await cgroups.remove();
    failpoint("free.7.cgroups");
    spare.lend(() => this.#marks.removed(() => directory.remove()));
    failpoint("free.9.state");
    catalog.cellFreed(this.id);
    failpoint("free.8.logs");
    await this.#supervisor?.left();
    failpoint("free.5.supervisor");
    this.#state = "ended";
    ended();
  }

  async #endProcesses(graceMs: number): Promise<void> {
    const supervisor = this.#supervisor;
    const { cgroups, warn } = this.#parts;
    try {
      if (supervisor !== undefined && !supervisor.isLost) {
        if (!this.#hasEnded) await supervisor.end(graceMs);
        this.#hasEnded = true;
        return;
      }
    } catch (cause) {
      if (!(cause instanceof ChannelClosed)) throw cause;
      if (supervisor?.isLost === false) {
        warn(`Cannot have the supervisor of cell "${this.name}" end it: ${inWords(cause)}; killed`);
      }
    }
    await cgroups.kill();
    this.#runs.closeAll();
  }

  /** What goes wrong with news on our side is no fault of who brought them. */
  #take(take: () => void): void {
    try {
      take();
    } catch (cause) {
      this.#parts.warn(`Cannot take all news of cell "${this.name}": ${inWords(cause)}`);
    }
  }

  #fail(why: string): void {
    this.#init = undefined;
    if (this.#state !== "live") return;
    this.markFailed(why);
    // After what has been told until now, and after what waits to be.
    this.#news.tell((watcher) => watcher.failed(why));
  }

  #requireLive(what: string): Supervisor {
    if (this.#state === "live" && this.#supervisor !== undefined) return this.#supervisor;
    throw notLive(what, this.name, this.#state, this.#why);
  }
}
