import type { Program } from "./program.ts";

/** Who was killed, and with it the cell. */
export type Killed = "supervisor" | "init";

/** A run as it has to be. */
export interface RunModel {
  readonly run: number;
  readonly pid: number;
  readonly executable: string;
  readonly program: Program;
  /** Nobody was told that it runs, so it may have been ended when the next daemon came. */
  readonly isUnanswered: boolean;
  /** Somebody asked to stop it; whether that was done is not known, until it is answered. */
  stop: "no" | "maybe" | "done";
  /** How it ended, once that was seen: it never changes. */
  end: string | undefined;
  /** The most lines of it that were ever read. */
  linesSeen: number;
}

/** A cell as it has to be. */
export interface CellModel {
  readonly name: string;
  killed: Killed | undefined;
  /** The latest run of each executable. */
  readonly latest: Map<string, RunModel>;
  /** All of them. */
  readonly runs: RunModel[];
}

/** What there is, as far as it was answered. */
export class Model {
  readonly cells: Map<string, CellModel> = new Map();

  add(name: string): void {
    this.cells.set(name, { name, killed: undefined, latest: new Map(), runs: [] });
  }

  /** A cell and all that is inside of it, the deepest first. */
  withChildren(name: string): readonly CellModel[] {
    const all = [...this.cells.values()];
    const found = all.filter((cell) => cell.name === name || cell.name.startsWith(`${name}/`));
    return found.sort((one, other) => other.name.length - one.name.length);
  }

  remove(name: string): readonly CellModel[] {
    const gone = this.withChildren(name);
    for (const cell of gone) this.cells.delete(cell.name);
    return gone;
  }

  started(cell: CellModel, run: RunModel): void {
    cell.latest.set(run.executable, run);
    cell.runs.push(run);
  }

  /** The cell's supervisor or init is killed: what is inside of it loses its init at least. */
  kill(name: string, victim: Killed): void {
    for (const cell of this.withChildren(name)) {
      // Whoever has no init can lose its supervisor all the same.
      if (cell.killed !== "supervisor") cell.killed = cell.name === name ? victim : "init";
    }
  }
}

/** The ways in which a run may have ended. */
export function endsOf(run: RunModel, killed: Killed | undefined): ReadonlySet<string> {
  if (run.end !== undefined) return new Set([run.end]);
  const { end, stopped } = run.program;
  const ends = new Set(end === undefined ? [] : [end]);
  if (run.stop !== "no" || run.isUnanswered) for (const each of stopped) ends.add(each);
  if (killed === "supervisor") ends.add("LOST");
  if (killed !== undefined) ends.add("SIGNALED signal 9");
  return ends;
}

/** Whether it may be running still. */
export function mayRun(run: RunModel, killed: Killed | undefined): boolean {
  return run.end === undefined && run.stop !== "done" && killed === undefined;
}
