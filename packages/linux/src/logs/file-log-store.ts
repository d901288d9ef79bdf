import { realpathSync } from "node:fs";
import { join } from "node:path";
import type { CellName, ExecutableName } from "@aurae/domain/cells";
import type { LogEntry, LoggedRun, LogKey, LogQuery, LogStore } from "@aurae/domain/observe";
import { readBootId } from "../boot-id.ts";
import { LogCatalog } from "./log-catalog.ts";
import { readLog } from "./log-reader.ts";
import { defaultRetention, LogKeeper, type Retention } from "./retention.ts";

export interface FileLogStoreOptions {
  /** Exists. Logs go below it, in `logs/`. */
  readonly libraryDir: string;
  /** Bytes of a segment of a log; 64 MiB when absent. */
  readonly segmentBytes?: number;
  /** Segments kept of a run; 32 when absent. */
  readonly segmentsKept?: number;
  /** Closed runs of a cell whose logs and records are kept while it lives; 2,048 when absent. */
  readonly keptRuns?: number;
  readonly retention?: Retention;
  /** Of this boot; tests may have another. */
  readonly bootId?: string;
  /** What is odd but no reason to stop, one sentence each; for the log. */
  readonly warn: (message: string) => void;
}

/** The logs of all runs, in files that the supervisors write. */
export class FileLogStore implements LogStore, AsyncDisposable {
  /** Where the host enters cells and runs. */
  readonly catalog: LogCatalog;
  readonly segmentBytes: number;
  readonly segmentsKept: number;
  readonly keptRuns: number;
  readonly #keeper: LogKeeper;

  constructor(options: FileLogStoreOptions) {
    const { bootId = readBootId(), retention = defaultRetention, warn } = options;
    const directory = join(realpathSync(options.libraryDir), "logs");
    this.keptRuns = options.keptRuns ?? 2048;
    this.catalog = new LogCatalog({ directory, bootId, keptRuns: this.keptRuns, warn });
    this.segmentBytes = options.segmentBytes ?? 64 * 1024 * 1024;
    this.segmentsKept = options.segmentsKept ?? 32;
    this.#keeper = new LogKeeper(this.catalog, retention);
  }

  read(key: LogKey, query: LogQuery, run: LoggedRun, signal: AbortSignal): AsyncIterable<LogEntry> {
    return readLog(this.catalog.directoryOf(key.cellId), key, query, run, signal);
  }

  findByPid(pid: number): LogKey | undefined {
    return this.catalog.findByPid(pid);
  }

  findByName(
    cell: CellName,
    executable: ExecutableName,
    run: number | undefined,
  ): LogKey | undefined {
    return this.catalog.findByName(cell, executable, run);
  }

  /**
   * Remove what is kept too long or is too much. Once after `adopt`, which tells what lives; then
   * hourly, by a timer of the caller's.
   */
  async retain(now: Date): Promise<void> {
    await this.#keeper.retain(now.getTime());
  }

  /** Wait until all that was entered is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.catalog.flush();
  }
}
