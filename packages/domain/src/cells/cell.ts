import { failpoint } from "@aurae/domain/failpoints";
import { Failure } from "../errors.ts";
import { Gate } from "../gate.ts";
import type { RequestMark } from "../requests/request-mark.ts";
import { type CellObserver, nobody, tellRun } from "./cell-event.ts";
import type { CellName } from "./cell-name.ts";
import type { CellSpec } from "./cell-spec.ts";
import { type CellState, cannot } from "./cell-state.ts";
import { Ending } from "./ending.ts";
import type { ExecutableName, ExecutableSpec } from "./executable-spec.ts";
import { Executables } from "./executables.ts";
import type { AdoptedCell, CellHost, Enclosure } from "./host.ts";
import type { Run } from "./run.ts";
import type { RunEnd } from "./run-end.ts";

type Standing = CellState & { readonly kind: "allocated" | "failed" };

/** What has begun is not cut short by a caller that leaves. */
const never = new AbortController().signal;

/**
 * One cell, from allocation to the end of all it holds.
 *
 *     unallocated ──allocate()──▶ allocating ──▶ allocated ──(init or supervisor gone)──▶ failed
 *          ▲                          │               └────────────────┬────────────────────┘
 *          └────── host refused ──────┘                              free()
 *                                                                      ▼
 *                  back where it was, when a child could not be ◀── freeing ──▶ freed
 *                  freed; failed, when its enclosure could not be ended
 *
 * Each method claims the cell before its first `await`: no two callers ever act on the same state.
 */
export class Cell {
  readonly name: CellName;
  readonly spec: CellSpec;
  readonly parent: Cell | undefined;
  readonly children: Map<CellName, Cell> = new Map();
  readonly executables: Executables = new Executables();
  readonly #observe: CellObserver;
  #state: CellState = { kind: "unallocated" };

  constructor(
    name: CellName,
    spec: CellSpec,
    parent: Cell | undefined,
    observe: CellObserver = nobody,
  ) {
    this.name = name;
    this.spec = spec;
    this.parent = parent;
    this.#observe = observe;
  }

  get state(): CellState {
    return this.#state;
  }

  /** What holds it on the machine; undefined before and after. */
  get enclosure(): Enclosure | undefined {
    return "enclosure" in this.#state ? this.#state.enclosure : undefined;
  }

  async allocate(host: CellHost, mark?: RequestMark): Promise<void> {
    if (this.#state.kind !== "unallocated") throw cannot("allocate", this);
    const parent = this.parent?.requireAllocated("allocate in");
    const settled = new Gate();
    this.#state = { kind: "allocating", settled };
    try {
      const enclosure = await host.enclose({ name: this.name, spec: this.spec, parent, mark });
      this.#state = { kind: "allocated", enclosure };
      this.#observe({ kind: "allocated", cell: this.name, cellId: enclosure.id });
      this.#watch(enclosure);
    } catch (cause) {
      this.#state = { kind: "unallocated" };
      throw cause;
    } finally {
      settled.open();
    }
  }

  /** Take over a cell that an earlier daemon allocated. */
  adopt({ enclosure, runs, failed }: AdoptedCell): void {
    for (const { report, spec } of runs) {
      const run = this.executables.adopt(report, spec);
      if (run.isLive) tellRun(this.name, run, this.#observe);
    }
    this.#state = { kind: "allocated", enclosure };
    const { id: cellId } = enclosure;
    this.#observe({ kind: "adopted", cell: this.name, cellId, runs: runs.length });
    if (failed !== undefined) this.#fail(failed);
    this.#watch(enclosure);
  }

  /** Run a program in the cell; resolves when its exec has succeeded. */
  async start(spec: ExecutableSpec, mark?: RequestMark): Promise<Run> {
    const enclosure = this.requireAllocated("start in");
    const run = this.executables.begin(spec);
    tellRun(this.name, run, this.#observe);
    try {
      run.started(await enclosure.start(run.number, spec, mark));
      return run;
    } catch (cause) {
      run.refused(cause);
      this.executables.forget(run);
      throw cause;
    }
  }

  /** End the latest run of an executable and all that came of it, and tell how it ended. */
  async stop(name: ExecutableName, graceMs: number, mark?: RequestMark): Promise<RunEnd> {
    const run = this.executables.run(name);
    await run.settled.wait(never);
    // It never ran: there is none of that name now, or a newer run.
    if (run.state.kind === "refused") return this.stop(name, graceMs, mark);
    return this.stopRun(run, graceMs, mark);
  }

  /** End that run. */
  async stopRun(run: Run, graceMs: number, mark?: RequestMark): Promise<RunEnd> {
    const { name } = run.executable;
    if (run.hasProcesses) {
      run.stopping();
      this.#observe({
        kind: "stopping",
        cell: this.name,
        executable: name,
        run: run.number,
        graceMs,
      });
      await this.enclosure?.stop(run.number, graceMs, mark);
    }
    if (run.state.kind === "ended") return run.state.end;
    throw new Failure(
      "host",
      "HOST_FAILED",
      `Cannot stop "${name}": the host did not say how it ended`,
    );
  }

  /**
   * End the cell, its children first. A second caller waits for the first, and may bring the end of the
   * grace nearer; freeing a freed cell does nothing.
   */
  async free(graceMs: number, mark?: RequestMark): Promise<void> {
    const before = this.#state;
    switch (before.kind) {
      case "allocated":
      case "failed": {
        // The state is set before #release runs: what it does first, it does in a cell being freed.
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        const { enclosure } = before;
        this.#observe({ kind: "freeing", cell: this.name, graceMs });
        enclosure.markEnding(graceMs, mark);
        failpoint("free.1.intent");
        const ending = new Ending(enclosure, graceMs);
        this.#state = { kind: "freeing", enclosure, ending, done: promise };
        failpoint("free.2.refusing");
        this.#release(before, ending, graceMs).then(resolve, reject);
        return promise;
      }
      case "freeing":
        if (mark !== undefined) before.enclosure.markEnding(graceMs, mark);
        if (before.ending.hurry(graceMs)) this.#hurryChildren(graceMs);
        return before.done;
      case "freed":
        return;
      case "allocating":
      case "unallocated":
        throw cannot("free", this);
      default:
        before satisfies never;
    }
  }

  /** What of its limits somebody else has changed. The look itself may find that it has failed. */
  changedLimits(): readonly string[] {
    return this.#state.kind === "allocated" ? this.#state.enclosure.changedLimits() : [];
  }

  /** Its enclosure, if something may be put inside. */
  requireAllocated(action: string): Enclosure {
    if (this.#state.kind === "allocated") return this.#state.enclosure;
    throw cannot(action, this);
  }

  #watch(enclosure: Enclosure): void {
    enclosure.attach({
      runChanged: (report) => this.executables.changed(report),
      failed: (why) => this.#fail(why),
    });
  }

  #fail(why: string): void {
    const now = this.#state;
    this.#observe({ kind: "failed", cell: this.name, why });
    if (now.kind === "allocated") this.#state = { kind: "failed", enclosure: now.enclosure, why };
    if (now.kind === "freeing") this.#state = { ...now, why };
  }

  async #release(before: Standing, ending: Ending, graceMs: number): Promise<void> {
    try {
      await this.#freeChildren(graceMs);
    } catch (cause) {
      before.enclosure.unmarkEnding();
      // Nothing was done to this one. What the host told meanwhile stays true.
      const why = this.#state.kind === "freeing" ? this.#state.why : undefined;
      this.#state = before;
      if (why !== undefined) this.#fail(why);
      throw this.#asFailure(cause);
    }
    try {
      await ending.begin();
      this.#state = { kind: "freed" };
      this.#observe({ kind: "freed", cell: this.name });
    } catch (cause) {
      // Something is still there, so the cell is too; but what has begun to end takes no start.
      const failure = this.#asFailure(cause);
      const why = `it could not be freed: ${failure.message}`;
      this.#state = { kind: "failed", enclosure: before.enclosure, why };
      this.#observe({ kind: "failed", cell: this.name, why });
      throw failure;
    }
  }

  #asFailure(cause: unknown): Failure {
    if (cause instanceof Failure) return cause;
    return new Failure("host", "HOST_FAILED", `Cannot free cell "${this.name}"`, { cause });
  }

  async #freeChildren(graceMs: number): Promise<void> {
    const children = [...this.children.values()];
    const outcomes = await Promise.allSettled(
      children.map((child) => this.#freeChild(child, graceMs)),
    );
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** Only those that are being freed: the first caller tells how that went. */
  #hurryChildren(graceMs: number): void {
    for (const child of this.children.values()) {
      if (child.state.kind === "freeing") void child.free(graceMs).catch(() => undefined);
    }
  }

  async #freeChild(child: Cell, graceMs: number): Promise<void> {
    if (child.state.kind === "allocating") await child.state.settled.wait(never);
    if (child.state.kind !== "unallocated") await child.free(graceMs);
    this.children.delete(child.name);
  }
}
