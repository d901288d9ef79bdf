import {
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { ExecutableName, RequestMark } from "@aurae/domain/cells";
import {
  type CellFile,
  type ExecutableFile,
  encodeCellFile,
  encodeExecutableFile,
  parseCellFile,
  parseExecutableFile,
} from "./cell-file.ts";
import { errnoOf, inWords } from "./errno.ts";
import { hasOwnFile, readOwnFile, requireOwnDirectory } from "./own-file.ts";
import { MarkFile } from "./requests/mark-file.ts";
import { MalformedBytes } from "./shim/bytes.ts";
import { type RunRecord, readRecordFile } from "./shim/record.ts";

/** More than a request can hold, so more than we can have written. */
const maxFileBytes = 8 * 1024 * 1024;
const maxRecordBytes = 4096;

/** A record that is as bad after so many reads was not being written, but is broken. */
const recordTries = 3;

/** A run that is closed: nothing will come of it any more. */
export interface ClosedRun {
  readonly run: number;
  readonly executable: ExecutableName;
  readonly pid: number;
}

/**
 * The directory of a cell in the runtime directory. It lives as long as the boot at most, so nothing
 * in it is fsynced.
 *
 *     cells/<id>/intent.json      what the cell is to be, written before anything is done
 *                cell.json        the same file, when the cell is whole
 *                ending           the cell is being freed, and for whom: roll that forward
 *                s.sock           where its supervisor listens
 *                <run>.json       what was asked for, by us
 *                <run>.stop       the run is being stopped, and for whom: roll that forward
 *                runs/<run>       the record of a run, by the supervisor
 */
export class CellDirectory {
  readonly path: string;
  readonly #keptRuns: number;
  readonly #closedRuns: ClosedRun[] = [];

  /** @param keptRuns closed runs whose files are kept; beyond it the oldest go */
  constructor(path: string, keptRuns: number) {
    this.path = path;
    this.#keptRuns = keptRuns;
  }

  get socketPath(): string {
    return join(this.path, "s.sock");
  }

  make(cell: CellFile): void {
    mkdirSync(this.path, { mode: 0o700 });
    writeFileSync(join(this.path, "intent.json"), encodeCellFile(cell), { mode: 0o600 });
  }

  /** The cell is whole: from now on the next daemon takes it over. */
  commit(): void {
    renameSync(join(this.path, "intent.json"), join(this.path, "cell.json"));
  }

  /** What the cell is, and whether that was committed. @throws Error that says what is wrong with it */
  read(): { readonly cell: CellFile; readonly isCommitted: boolean } {
    const isCommitted = isThere(join(this.path, "cell.json"));
    const name = isCommitted ? "cell.json" : "intent.json";
    const bytes = readOwnFile(join(this.path, name), maxFileBytes);
    try {
      return { cell: parseCellFile(bytes), isCommitted };
    } catch (cause) {
      throw new Error(`${name}: ${inWords(cause)}`, { cause });
    }
  }

  /**
   * Whether it holds no cell: it was made, and the daemon died before it had written what it meant; or
   * it was removed, but for the last of it.
   */
  get isUnborn(): boolean {
    const names = readdirSync(this.path).filter((name) => name !== "ending");
    if (names.length === 0) return true;
    if (names.length > 1 || names[0] !== "intent.json") return false;
    // One that is whole and cannot be read is another matter: a newer daemon may have written it.
    return !readOwnFile(join(this.path, "intent.json"), maxFileBytes).toString().endsWith("}");
  }

  /**
   * What says that there is a cell, and that it ends, goes last: who comes after a daemon that died in
   * between goes on.
   */
  remove(): void {
    if (!isThere(this.path)) return;
    const last = ["cell.json", "intent.json", "ending"];
    const names = readdirSync(this.path).filter((name) => !last.includes(name));
    for (const name of [...names, ...last])
      rmSync(join(this.path, name), { recursive: true, force: true });
    rmdirSync(this.path);
  }

  /**
   * The cell is to be ended: that the file is there is what counts, and for whom, if that has a mark.
   *
   * @throws Error that names the file, when it is none of ours
   */
  markEnding(graceMs: number, mark?: RequestMark): void {
    const path = join(this.path, "ending");
    if (mark !== undefined) new MarkFile(path).add({ graceMs, mark });
    else if (!this.isEnding) writeFileSync(path, String(graceMs), { mode: 0o600, flag: "wx" });
  }

  unmarkEnding(): void {
    removeIfThere(join(this.path, "ending"));
  }

  /** The requests to end it. @throws Error that says what is wrong with them */
  get endingMarks(): readonly RequestMark[] {
    return new MarkFile(join(this.path, "ending")).read().map(({ mark }) => mark);
  }

  /** @throws Error that names the file, when it is none of ours: then nobody has asked for that */
  get isEnding(): boolean {
    return hasOwnFile(join(this.path, "ending"));
  }

  writeSpec(run: number, spec: ExecutableFile): void {
    writeFileSync(this.#specPath(run), encodeExecutableFile(spec), { mode: 0o600, flag: "wx" });
  }

  removeSpec(run: number): void {
    removeIfThere(this.#specPath(run));
  }

  /** @throws Error that says what is wrong with it */
  readSpec(run: number): ExecutableFile {
    return parseExecutableFile(readOwnFile(this.#specPath(run), maxFileBytes));
  }

  /** Requests to stop a run. */
  stopsOf(run: number): MarkFile {
    return new MarkFile(join(this.path, `${run}.stop`));
  }

  /** The numbers of the runs that have such requests, in order. */
  stoppedRuns(): readonly number[] {
    return runsIn(this.path, /^(\d{1,15})\.stop$/);
  }

  /** The record of a run, if its supervisor wrote one. @throws Error that says what is wrong with it */
  readRecord(run: number): RunRecord | undefined {
    for (let triesLeft = recordTries; ; triesLeft--) {
      try {
        return readRecordFile(readOwnFile(this.#recordPath(run), maxRecordBytes));
      } catch (cause) {
        if (errnoOf(cause) === "ENOENT") return undefined;
        // The supervisor writes it over in place, once: this may have been that moment.
        if (!(cause instanceof MalformedBytes) || triesLeft === 1) throw cause;
      }
    }
  }

  /** The numbers of the runs that have a record, in order. */
  recordedRuns(): readonly number[] {
    const directory = join(this.path, "runs");
    if (!isThere(directory)) return [];
    requireOwnDirectory(directory);
    return runsIn(directory, /^(\d{1,15})$/);
  }

  /** The numbers of the runs that somebody asked for and that have no record, in order. */
  unrecordedRuns(): readonly number[] {
    const recorded = new Set(this.recordedRuns());
    return runsIn(this.path, /^(\d{1,15})\.json$/).filter((run) => !recorded.has(run));
  }

  /**
   * A run is closed. Files are kept for so many only, or a busy cell would fill the directory.
   *
   * @returns the run that is kept no longer, when it is one too many
   */
  runClosed({ run, executable, pid }: ClosedRun): ClosedRun | undefined {
    this.#closedRuns.push({ run, executable, pid });
    if (this.#closedRuns.length <= this.#keptRuns) return undefined;
    const oldest = this.#closedRuns.shift();
    if (oldest === undefined) return undefined;
    this.removeSpec(oldest.run);
    removeIfThere(join(this.path, `${oldest.run}.stop`));
    removeIfThere(this.#recordPath(oldest.run));
    return oldest;
  }

  #specPath(run: number): string {
    return join(this.path, `${run}.json`);
  }

  #recordPath(run: number): string {
    return join(this.path, "runs", String(run));
  }
}

function runsIn(directory: string, pattern: RegExp): readonly number[] {
  return readdirSync(directory)
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((one, other) => one - other);
}

/** Whether anything has that name, be it what it may. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw cause;
  }
}
