import { constants } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inWords } from "../errno.ts";
import { openOwnFile, requireOwnDirectory } from "../own-file.ts";

/** What waits for the disk, of one cell. */
interface Unwritten {
  cell: string | undefined;
  /** All that `runs.jsonl` is to hold, before what is appended. */
  allRuns: string | undefined;
  runs: string;
  readonly timer: NodeJS.Timeout;
  writing: Promise<void> | undefined;
}

/** A file is written so long after the first that wants it: a hundred starts are one write. */
const gatherMs = 50;

/**
 * Writes what the catalog knows beside the logs, behind the caller's back: nobody waits for a disk to
 * start a program. What is lost when we die, the records of the supervisors complete.
 */
export class CatalogWriter {
  readonly #directory: string;
  readonly #warn: (message: string) => void;
  readonly #unwritten = new Map<string, Unwritten>();

  constructor(directory: string, warn: (message: string) => void) {
    this.#directory = directory;
    this.#warn = warn;
  }

  /** Write a cell's `cell.json` anew. */
  writeCell(id: string, text: string): void {
    const unwritten = this.#of(id);
    unwritten.cell = text;
  }

  /** Append a line to a cell's `runs.jsonl`. */
  appendRun(id: string, line: string): void {
    const unwritten = this.#of(id);
    unwritten.runs += line;
  }

  /** Write a cell's `runs.jsonl` anew. */
  rewriteRuns(id: string, text: string): void {
    const unwritten = this.#of(id);
    unwritten.allRuns = text;
    unwritten.runs = "";
  }

  /** Write now; resolves when nothing of a cell waits. */
  async flush(id: string): Promise<void> {
    const unwritten = this.#unwritten.get(id);
    if (unwritten !== undefined) await this.#begin(id, unwritten);
  }

  async flushAll(): Promise<void> {
    await Promise.all([...this.#unwritten.keys()].map((id) => this.flush(id)));
  }

  #of(id: string): Unwritten {
    const known = this.#unwritten.get(id);
    if (known !== undefined) return known;
    const timer = setTimeout(() => void this.flush(id), gatherMs);
    const nothing = { cell: undefined, allRuns: undefined, runs: "" };
    const unwritten: Unwritten = { ...nothing, timer, writing: undefined };
    this.#unwritten.set(id, unwritten);
    return unwritten;
  }

  #begin(id: string, unwritten: Unwritten): Promise<void> {
    clearTimeout(unwritten.timer);
    unwritten.writing ??= this.#write(id, unwritten);
    return unwritten.writing;
  }

  async #write(id: string, unwritten: Unwritten): Promise<void> {
    const directory = join(this.#directory, id);
    for (;;) {
      const { cell, allRuns, runs } = unwritten;
      if (cell === undefined && allRuns === undefined && runs === "") break;
      unwritten.cell = undefined;
      unwritten.allRuns = undefined;
      unwritten.runs = "";
      try {
        requireOwnDirectory(directory);
        if (cell !== undefined) await replace(join(directory, "cell.json"), cell);
        const path = join(directory, "runs.jsonl");
        if (allRuns !== undefined) await replace(path, allRuns);
        if (runs !== "") await append(path, runs);
      } catch (cause) {
        this.#warn(`Cannot note what runs beside the logs in ${directory}: ${inWords(cause)}`);
      }
    }
    this.#unwritten.delete(id);
  }
}

/** So that whoever reads it sees the old one or the new one, whole. */
async function replace(path: string, text: string): Promise<void> {
  // O_EXCL, for nothing that is there is written through.
  await rm(`${path}.new`, { force: true });
  await writeFile(`${path}.new`, text, { mode: 0o600, flag: "wx" });
  await rename(`${path}.new`, path);
}

async function append(path: string, text: string): Promise<void> {
  const { O_WRONLY, O_APPEND, O_CREAT } = constants;
  await using file = await openOwnFile(path, O_WRONLY | O_APPEND | O_CREAT);
  await file.writeFile(text);
}
