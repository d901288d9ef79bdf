import { Gate } from "../gate.ts";
import type { RunReport, StartedRun } from "./host.ts";
import type { RunEnd } from "./run-end.ts";
import { type ShownExecutable, toNameOnly } from "./shown-executable.ts";

/** Each state holds what is true in it. Processes may be left when the main one has ended. */
export type RunState =
  | { readonly kind: "starting" }
  | ({ readonly kind: "running" | "stopping" } & StartedRun)
  | ({ readonly kind: "ended"; readonly end: RunEnd } & StartedRun)
  | { readonly kind: "refused"; readonly cause: unknown };

/**
 * One run of an executable, from its start to the last line of its log.
 *
 *     starting ──started──▶ running ──stop──▶ stopping
 *        │ │                   └───────┬─────────┘
 *        │ └──── it was quick ──────▶ ended        (then: tree empty, log complete)
 *        └── the host refused ──▶ refused
 */
export class Run {
  readonly number: number;
  #executable: ShownExecutable;
  #state: RunState = { kind: "starting" };
  #treeIsEmpty = false;
  #linesDropped = 0n;
  /** Opens when it runs, has run, or was refused. */
  readonly settled: Gate = new Gate();
  /** Opens when the main process has ended, or was refused. */
  readonly ended: Gate = new Gate();
  /** Opens when nothing will be added to its log any more. */
  readonly logComplete: Gate = new Gate();

  constructor(number: number, executable: ShownExecutable) {
    this.number = number;
    this.#executable = executable;
  }

  /** What was asked for, as far as it is remembered. */
  get executable(): ShownExecutable {
    return this.#executable;
  }

  get state(): RunState {
    return this.#state;
  }

  /** Lines that its log has no more, as was last reported. */
  get linesDropped(): bigint {
    return this.#linesDropped;
  }

  /** Whether its main process is there, or about to be. */
  get isLive(): boolean {
    const { kind } = this.#state;
    return kind === "starting" || kind === "running" || kind === "stopping";
  }

  /** Whether a process of its tree is left, or about to be. */
  get hasProcesses(): boolean {
    return this.#state.kind !== "refused" && !this.#treeIsEmpty;
  }

  /** The host has started it. Its end may have been told before. */
  started({ pid, startedAtNs }: StartedRun): void {
    if (this.#state.kind === "starting") this.#state = { kind: "running", pid, startedAtNs };
    this.settled.open();
  }

  /** The host could not start it: nothing ran. */
  refused(cause: unknown): void {
    this.#state = { kind: "refused", cause };
    this.settled.open();
    this.ended.open();
    this.logComplete.open();
  }

  /** It will not be the latest again: of what was asked for only the name is remembered. */
  superseded(): void {
    this.#executable = toNameOnly(this.#executable);
  }

  stopping(): void {
    if (this.#state.kind === "running") this.#state = { ...this.#state, kind: "stopping" };
  }

  /** Take what the host reports. The first end that is told stays. */
  changed(report: RunReport): void {
    const { pid, startedAtNs, end } = report;
    this.started(report);
    this.#linesDropped = end?.linesDropped ?? 0n;
    if (end !== undefined && this.isLive) {
      this.#state = { kind: "ended", pid, startedAtNs, end };
      this.ended.open();
    }
    if (report.treeIsEmpty) this.#treeIsEmpty = true;
    if (report.logIsComplete) this.logComplete.open();
  }
}
