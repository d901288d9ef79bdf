import type { RequestMark } from "@aurae/domain/cells";
import type { CellDirectory } from "../cell-directory.ts";
import { errnoOf, inWords } from "../errno.ts";
import type { StateDisk } from "../state-disk.ts";
import type { RequestLog } from "./request-log.ts";

export interface CellMarksOptions {
  readonly name: string;
  readonly directory: CellDirectory;
  readonly requests: RequestLog;
  readonly disk: StateDisk;
  readonly warn: (message: string) => void;
}

/**
 * What is being ended in a cell, and for whom, noted for the daemon that comes after us. What cannot be
 * noted is told, and no more: what ends something goes on, on a full disk above all.
 */
export class CellMarks {
  readonly #options: CellMarksOptions;

  constructor(options: CellMarksOptions) {
    this.#options = options;
  }

  /** The cell is to be ended. */
  ending(graceMs: number, mark?: RequestMark): void {
    const { name, directory } = this.#options;
    this.#try(`note that cell "${name}" ends`, () => directory.markEnding(graceMs, mark));
  }

  notEnding(): void {
    const { name, directory } = this.#options;
    this.#try(`note that cell "${name}" does not end`, () => directory.unmarkEnding());
  }

  /**
   * Take away the last that there is of the cell. Whoever wanted that is answered, also when we die on
   * the way; when it throws, nobody is.
   */
  removed(remove: () => void): void {
    const { name, directory, requests } = this.#options;
    let marks: readonly RequestMark[] = [];
    this.#try(`read for whom cell "${name}" ends`, () => {
      marks = directory.endingMarks;
    });
    for (const mark of marks) requests.note(mark, { kind: "freed" });
    try {
      remove();
    } catch (cause) {
      for (const mark of marks) requests.forget(mark);
      throw cause;
    }
  }

  /** A run is to be ended. */
  stopping(run: number, graceMs: number, mark: RequestMark | undefined): void {
    if (mark === undefined) return;
    const { name, directory } = this.#options;
    const what = `note that run ${run} in cell "${name}" is being stopped`;
    this.#try(what, () => directory.stopsOf(run).add({ graceMs, mark }));
  }

  notStopping(run: number, mark: RequestMark | undefined): void {
    if (mark === undefined) return;
    const { name, directory } = this.#options;
    const what = `note that run ${run} in cell "${name}" is not being stopped`;
    this.#try(what, () => directory.stopsOf(run).remove(mark));
  }

  #try(what: string, act: () => void): void {
    try {
      this.#options.disk.write(act);
    } catch (cause) {
      // Who frees a cell a second time may find no directory.
      if (errnoOf(cause) !== "ENOENT") this.#options.warn(`Cannot ${what}: ${inWords(cause)}`);
    }
  }
}
