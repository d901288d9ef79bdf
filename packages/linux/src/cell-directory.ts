import { mkdirSync, readdirSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecutableSpec } from "@aurae/domain/cells";
import {
  type CellFile,
  encodeCellFile,
  encodeExecutableFile,
  parseCellFile,
  parseExecutableFile,
} from "./cell-file.ts";
import { errnoOf } from "./errno.ts";
import { readOwnFile, replaceFile } from "./own-file.ts";
import { type RunRecord, readRecordFile } from "./shim/record.ts";

/** More than a request can hold, so more than we can have written. */
const maxFileBytes = 8 * 1024 * 1024;
const maxRecordBytes = 4096;

/** Closed runs whose files are kept; beyond it the oldest go. More than the domain remembers. */
const keptRuns = 2048;

/**
 * The directory of a cell in the runtime directory. It lives as long as the boot at most, so nothing
 * in it is fsynced.
 *
 *     cells/<id>/cell.json      what the cell is; the intent first, then the commit
 *                ending         the cell is being freed: roll that forward
 *                s.sock         where its supervisor listens
 *                specs/<run>    what was asked for, by us
 *                runs/<run>     the record of a run, by the supervisor
 */
export class CellDirectory {
  readonly path: string;
  readonly #closedRuns: number[] = [];

  constructor(path: string) {
    this.path = path;
  }

  get socketPath(): string {
    return join(this.path, "s.sock");
  }

  make(cell: CellFile): void {
    mkdirSync(this.path, { mode: 0o700 });
    mkdirSync(join(this.path, "specs"), { mode: 0o700 });
    mkdirSync(join(this.path, "runs"), { mode: 0o700 });
    this.write(cell);
  }

  write(cell: CellFile): void {
    replaceFile(join(this.path, "cell.json"), encodeCellFile(cell));
  }

  /** @throws Error that says what is wrong with it */
  read(): CellFile {
    return parseCellFile(readOwnFile(join(this.path, "cell.json"), maxFileBytes).toString("utf8"));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  markEnding(graceMs: number): void {
    writeFileSync(join(this.path, "ending"), String(graceMs), { mode: 0o600 });
  }

  get isEnding(): boolean {
    return readdirSync(this.path).includes("ending");
  }

  writeSpec(run: number, spec: ExecutableSpec): void {
    writeFileSync(this.#specPath(run), encodeExecutableFile(spec), { mode: 0o600, flag: "wx" });
  }

  removeSpec(run: number): void {
    removeIfThere(this.#specPath(run));
  }

  /** @throws Error that says what is wrong with it */
  readSpec(run: number): ExecutableSpec {
    return parseExecutableFile(readOwnFile(this.#specPath(run), maxFileBytes).toString("utf8"));
  }

  /** The record of a run, if its supervisor wrote one. @throws Error that says what is wrong with it */
  readRecord(run: number): RunRecord | undefined {
    try {
      return readRecordFile(readOwnFile(this.#recordPath(run), maxRecordBytes));
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT") return undefined;
      throw cause;
    }
  }

  /** The numbers of the runs that have a record, in order. */
  recordedRuns(): readonly number[] {
    return readdirSync(join(this.path, "runs"))
      .filter((name) => /^\d{1,15}$/.test(name))
      .map(Number)
      .sort((one, other) => one - other);
  }

  /** A run is closed. Files are kept for so many only, or a busy cell would fill the directory. */
  runClosed(run: number): void {
    this.#closedRuns.push(run);
    if (this.#closedRuns.length <= keptRuns) return;
    const oldest = this.#closedRuns.shift();
    if (oldest === undefined) return;
    this.removeSpec(oldest);
    removeIfThere(this.#recordPath(oldest));
  }

  #specPath(run: number): string {
    return join(this.path, "specs", String(run));
  }

  #recordPath(run: number): string {
    return join(this.path, "runs", String(run));
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw cause;
  }
}
