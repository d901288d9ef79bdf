import { Failure } from "../errors.ts";
import { FakeMemory } from "../requests/fake-memory.ts";
import type { RequestMark } from "../requests/request-mark.ts";
import type { CellName } from "./cell-name.ts";
import type { CellSpec } from "./cell-spec.ts";
import { type ExecutableSpec, toArgv } from "./executable-spec.ts";
import type {
  AdoptedCell,
  AdoptedRun,
  CellHost,
  EncloseRequest,
  Enclosure,
  EnclosureWatcher,
  RunReport,
  StartedRun,
} from "./host.ts";
import type { RunEnd } from "./run-end.ts";

/**
 * A host without a machine, which writes down what it was asked. It knows three commands: `exit N`
 * ends at once, `sleep …` runs until it is stopped, `missing` is not found.
 */
export class FakeHost implements CellHost {
  readonly cgroupV2: boolean = false;
  readonly requests: FakeMemory = new FakeMemory();
  /** What was done, in order: "enclose web", "start web server", "stop web server", "end web". */
  readonly log: string[] = [];
  /** Fails the next call whose log line it equals, once. */
  failOn: string | undefined;
  readonly enclosures: Map<CellName, FakeEnclosure> = new Map();
  /** How long a call takes: others have their turn meanwhile. */
  turn: () => Promise<unknown> = () => Promise.resolve();
  /** The names of what an earlier daemon left. */
  left: readonly CellName[] = [];
  /** The runs in each of them. */
  leftRuns: readonly AdoptedRun[] = [];
  /** The requests whose marks were given to it, in order: "start key", "ending key". */
  readonly marks: string[] = [];

  async enclose({ name, parent, mark }: EncloseRequest): Promise<Enclosure> {
    this.bear("enclose", mark);
    await this.note(`enclose ${name}`);
    if (parent !== undefined && ![...this.enclosures.values()].some((each) => each === parent)) {
      throw new Failure("host", "HOST_FAILED", `Cannot enclose "${name}": its parent has ended`);
    }
    if (this.enclosures.has(name))
      throw new Failure("host", "HOST_FAILED", `Cannot enclose "${name}": it is there`);
    const enclosure = new FakeEnclosure(this, name);
    this.enclosures.set(name, enclosure);
    return enclosure;
  }

  async adopt(): Promise<readonly AdoptedCell[]> {
    return this.left.map((name) => {
      const enclosure = new FakeEnclosure(this, name);
      for (const { report } of this.leftRuns) enclosure.keep(report);
      this.enclosures.set(name, enclosure);
      const spec: CellSpec = { limits: { pidsMax: 64 }, shared: new Set(), labels: new Map() };
      return { name, spec, enclosure, runs: this.leftRuns };
    });
  }

  /** Write down a mark, if there is one. */
  bear(what: string, mark: RequestMark | undefined): void {
    if (mark !== undefined) this.marks.push(`${what} ${mark.key}`);
  }

  /** Write down a call, give others their turn, and fail it if asked to. */
  async note(call: string): Promise<void> {
    this.log.push(call);
    await this.turn();
    if (this.failOn !== call) return;
    this.failOn = undefined;
    throw new Failure("host", "HOST_FAILED", `Cannot ${call}: asked to fail`);
  }
}

export class FakeEnclosure implements Enclosure {
  readonly id: string;
  /** Those that end() was given. */
  readonly graces: number[] = [];
  /** What somebody else did to its limits. */
  changed: readonly string[] = [];
  /** Whether the next daemon would end it. */
  isMarkedEnding = false;
  readonly #host: FakeHost;
  readonly #name: CellName;
  readonly #running = new Map<number, RunReport>();
  #watcher: EnclosureWatcher | undefined;
  #ended = false;

  constructor(host: FakeHost, name: CellName) {
    this.#host = host;
    this.#name = name;
    this.id = Buffer.from(name).toString("hex").slice(0, 16).padEnd(16, "0");
  }

  attach(watcher: EnclosureWatcher): void {
    this.#watcher = watcher;
  }

  /** A run that an earlier daemon began. */
  keep(report: RunReport): void {
    if (report.end === undefined) this.#running.set(report.run, report);
  }

  async start(run: number, spec: ExecutableSpec, mark?: RequestMark): Promise<StartedRun> {
    this.#host.bear("start", mark);
    await this.#host.note(`start ${this.#name} ${spec.name}`);
    const [command = "", code] = (toArgv(spec).at(-1) ?? "").split(" ");
    if (this.#ended)
      throw new Failure("wrong-state", "CELL_STATE", `Cannot start "${spec.name}": the cell ends`);
    if (command === "missing") {
      throw new Failure(
        "wrong-state",
        "COMMAND_NOT_FOUND",
        `Cannot start "${spec.name}": no such command`,
      );
    }
    const started = { pid: 1000 + run, startedAtNs: BigInt(run) };
    this.#running.set(run, {
      ...started,
      run,
      executable: spec.name,
      treeIsEmpty: false,
      logIsComplete: false,
    });
    if (command === "exit")
      queueMicrotask(() => this.#finish(run, { reason: "exited", exitCode: Number(code) }));
    return started;
  }

  changedLimits(): readonly string[] {
    return this.changed;
  }

  async stop(run: number, _graceMs: number, mark?: RequestMark): Promise<void> {
    this.#host.bear("stop", mark);
    await this.#host.note(`stop ${this.#name} ${this.#running.get(run)?.executable}`);
    this.#finish(run, { reason: "aborted", signal: 15 });
  }

  markEnding(_graceMs: number, mark?: RequestMark): void {
    this.#host.bear("ending", mark);
    this.isMarkedEnding = true;
  }

  unmarkEnding(): void {
    this.isMarkedEnding = false;
  }

  async end(graceMs: number): Promise<void> {
    this.#ended = true;
    this.graces.push(graceMs);
    for (const run of this.#running.keys()) this.#finish(run, { reason: "aborted", signal: 15 });
    await this.#host.note(`end ${this.#name}`);
    this.#host.enclosures.delete(this.#name);
  }

  /** Its init dies, as if killed from the host. */
  fail(why: string): void {
    for (const run of this.#running.keys()) this.#finish(run, { reason: "signaled", signal: 9 });
    this.#watcher?.failed(why);
  }

  #finish(run: number, how: Pick<RunEnd, "reason" | "exitCode" | "signal">): void {
    const report = this.#running.get(run);
    if (report === undefined || !this.#running.delete(run)) return;
    const end: RunEnd = { ...how, coreDumped: false, endedAtNs: 2n, usage: {}, linesDropped: 0n };
    this.#watcher?.runChanged({ ...report, end, treeIsEmpty: true, logIsComplete: true });
  }
}
