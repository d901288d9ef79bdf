import { Failure } from "../errors.ts";
import { throwIfAborted } from "../gate.ts";
import type { RequestMark } from "../requests/request-mark.ts";
import { Requests } from "../requests/requests.ts";
import { Cell } from "./cell.ts";
import type { CellObserver } from "./cell-event.ts";
import { type CellName, parentOf } from "./cell-name.ts";
import type { CellSpec } from "./cell-spec.ts";
import type { ExecutableName, ExecutableSpec } from "./executable-spec.ts";
import type { AdoptedCell, CellHost, MarkedStop, StartedRun } from "./host.ts";
import type { Run } from "./run.ts";
import type { RunEnd } from "./run-end.ts";

/** What has no caller has none that leaves. */
const never = new AbortController().signal;

/** The cells of a node: the one owner of every {@link Cell}, and what the services ask. */
export class Cells {
  readonly #host: CellHost;
  readonly #observe: CellObserver | undefined;
  readonly #roots = new Map<CellName, Cell>();
  /** What was asked with a request id, and what was answered: see there. */
  readonly requests: Requests;

  constructor(host: CellHost, observe?: CellObserver) {
    this.#host = host;
    this.#observe = observe;
    this.requests = new Requests(host.requests);
  }

  get cgroupV2(): boolean {
    return this.#host.cgroupV2;
  }

  /**
   * Take over what an earlier daemon left; called once, before anything else. A cell whose parent was
   * not taken over has no place in the tree: it is left alone, so that one bad cell keeps no node down.
   *
   * @returns the cells that were left alone
   */
  async adopt(): Promise<readonly CellName[]> {
    const orphans: CellName[] = [];
    for (const adopted of await this.#host.adopt()) {
      const place = this.#findPlace(adopted.name);
      if (place === undefined) {
        orphans.push(adopted.name);
        continue;
      }
      const cell = new Cell(adopted.name, adopted.spec, place.parent, this.#observe);
      cell.adopt(adopted);
      place.siblings.set(cell.name, cell);
      this.#goOnStopping(cell, adopted);
    }
    return orphans;
  }

  /** Make a cell. Once begun it is finished or undone, whether the caller waits for it or not. */
  async allocate(
    name: CellName,
    spec: CellSpec,
    signal: AbortSignal,
    mark?: RequestMark,
  ): Promise<Cell> {
    throwIfAborted(signal);
    const { parent, siblings } = this.#placeOf(name);
    if (siblings.has(name)) {
      throw new Failure("exists", "CELL_EXISTS", `Cannot allocate cell "${name}": it exists`, {
        metadata: { cell: name },
      });
    }
    const cell = new Cell(name, spec, parent, this.#observe);
    siblings.set(name, cell);
    try {
      await cell.allocate(this.#host, mark);
      return cell;
    } catch (cause) {
      siblings.delete(name);
      throw cause;
    }
  }

  /** End a cell and all it holds, its children first. */
  async free(
    name: CellName,
    graceMs: number,
    signal: AbortSignal,
    mark?: RequestMark,
  ): Promise<void> {
    throwIfAborted(signal);
    const cell = this.get(name);
    if (cell.state.kind === "allocating") {
      await cell.state.settled.wait(signal);
      return this.free(name, graceMs, signal, mark);
    }
    await cell.free(graceMs, mark);
    const { siblings } = this.#placeOf(name);
    if (siblings.get(name) === cell) siblings.delete(name);
  }

  /** End every cell; one that fails holds up no other. @returns those that failed, and why */
  async freeAll(
    graceMs: number,
  ): Promise<readonly { readonly cell: CellName; readonly cause: unknown }[]> {
    const tries = [...this.#roots.keys()].map(async (cell) => {
      try {
        await this.free(cell, graceMs, never);
        return [];
      } catch (cause) {
        // One that was being allocated has failed to be, and is not there.
        return this.#roots.has(cell) ? [{ cell, cause }] : [];
      }
    });
    return (await Promise.all(tries)).flat();
  }

  /** Start an executable. Once begun it is finished or undone, whether the caller waits for it or not. */
  async start(
    name: CellName,
    spec: ExecutableSpec,
    signal: AbortSignal,
    mark?: RequestMark,
  ): Promise<StartedRun & { readonly run: number }> {
    throwIfAborted(signal);
    const run = await this.get(name).start(spec, mark);
    if (!("pid" in run.state))
      throw new Failure("host", "HOST_FAILED", `Cannot start "${spec.name}": the host told no pid`);
    return { run: run.number, pid: run.state.pid, startedAtNs: run.state.startedAtNs };
  }

  async stop(
    name: CellName,
    executable: ExecutableName,
    graceMs: number,
    signal: AbortSignal,
    mark?: RequestMark,
  ): Promise<RunEnd> {
    throwIfAborted(signal);
    return await this.get(name).stop(executable, graceMs, mark);
  }

  /** The cells at the root, or the one of that name; sorted. */
  list(name: CellName | undefined): readonly Cell[] {
    return name === undefined ? [...this.#roots.values()].sort(byName) : [this.get(name)];
  }

  /**
   * Wait until one executable, or all of the cell, have ended. Without a run number it is the latest.
   *
   * @throws Failure `not-found`; `cancelled` when the signal aborts first
   */
  async wait(
    name: CellName,
    executable: ExecutableName | undefined,
    number: number | undefined,
    signal: AbortSignal,
  ): Promise<readonly Run[]> {
    const { executables } = this.get(name);
    const runs =
      executable === undefined
        ? [...executables].sort(byName).flatMap(({ latest }) => latest ?? [])
        : [executables.run(executable, number)];
    await Promise.all(runs.map((run) => run.ended.wait(signal)));
    const ended = runs.filter((run) => run.state.kind === "ended");
    // One that was refused while we waited was never there.
    if (executable !== undefined && ended.length === 0) executables.run(executable, number);
    return ended;
  }

  /** @throws Failure `not-found` */
  get(name: CellName): Cell {
    const cell = this.#find(name);
    if (cell !== undefined) return cell;
    throw new Failure(
      "not-found",
      "CELL_NOT_FOUND",
      `Cannot find cell "${name}": there is none of that name`,
      {
        metadata: { cell: name },
      },
    );
  }

  /** The cell with that enclosure, if it is there still. */
  findEnclosed(enclosureId: string): Cell | undefined {
    return walk(this.#roots.values()).find((cell) => cell.enclosure?.id === enclosureId);
  }

  /** Stops that were begun go on; who repeats the request of one waits for it. */
  #goOnStopping(cell: Cell, { runs }: AdoptedCell): void {
    for (const { report, stops = [] } of runs) {
      const run = cell.executables.find(report.executable, report.run);
      if (run === undefined) continue;
      // Nobody waits for it yet. One that fails is done by the repeat.
      for (const stop of stops) this.#goOnWith(stop, cell, run).catch(() => undefined);
    }
  }

  async #goOnWith({ mark, graceMs }: MarkedStop, cell: Cell, run: Run): Promise<void> {
    async function stop() {
      return { kind: "stopped", end: await cell.stopRun(run, graceMs, mark) } as const;
    }
    await this.requests.once("stopped", mark, stop, never);
  }

  #find(name: CellName): Cell | undefined {
    const parent = parentOf(name);
    return (parent === undefined ? this.#roots : this.#find(parent)?.children)?.get(name);
  }

  #placeOf(name: CellName): Place {
    const place = this.#findPlace(name);
    if (place !== undefined) return place;
    const parent = parentOf(name) ?? "";
    const why = `its parent "${parent}" does not exist`;
    throw new Failure("not-found", "PARENT_CELL_NOT_FOUND", `Cannot find cell "${name}": ${why}`, {
      metadata: { cell: name, parent },
    });
  }

  /** Undefined when its parent does not exist. */
  #findPlace(name: CellName): Place | undefined {
    const parentName = parentOf(name);
    if (parentName === undefined) return { parent: undefined, siblings: this.#roots };
    const parent = this.#find(parentName);
    return parent === undefined ? undefined : { parent, siblings: parent.children };
  }
}

/** Where a cell is, or would be, in the tree. */
interface Place {
  readonly parent: Cell | undefined;
  readonly siblings: Map<CellName, Cell>;
}

/** Order by name, by code unit: the same on every machine. */
export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function* walk(cells: Iterable<Cell>): Generator<Cell> {
  for (const cell of cells) {
    yield cell;
    yield* walk(cell.children.values());
  }
}
