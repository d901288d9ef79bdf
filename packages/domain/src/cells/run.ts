import { Gate } from "../gate.ts";
import type { ExecutableSpec } from "./executable-spec.ts";
import type { RunReport, StartedRun } from "./host.ts";
import type { RunEnd } from "./run-end.ts";

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
  readonly spec: ExecutableSpec;
  #state: RunState = { kind: "starting" };
  #treeIsEmpty = false;
  /** Opens when it runs, has run, or was refused. */
  readonly settled: Gate = new Gate();
  /** Opens when the main process has ended, or was refused. */
  readonly ended: Gate = new Gate();
  /** Opens when nothing will be added to its log any more. */
  readonly logComplete: Gate = new Gate();

  constructor(number: number, spec: ExecutableSpec) {
    this.number = number;
    this.spec = spec;
  }

  get state(): RunState {
    return this.#state;
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

  stopping(): void {
    if (this.#state.kind === "running") this.#state = { ...this.#state, kind: "stopping" };
  }

  /** Take what the host reports. The first end that is told stays. */
  changed(report: RunReport): void {
    const { pid, startedAtNs, end } = report;
    this.started(report);
    if (end !== undefined && this.isLive) {
      this.#state = { kind: "ended", pid, startedAtNs, end };
      this.ended.open();
    }
    if (report.treeIsEmpty) this.#treeIsEmpty = true;
    if (report.logIsComplete) this.logComplete.open();
  }
}
