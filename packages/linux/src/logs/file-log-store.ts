import type { CellName, ExecutableName } from "@aurae/domain/cells";
import type { LogEntry, LogKey, LogQuery, LogStore } from "@aurae/domain/observe";
import type { Retention } from "./retention.ts";

export interface FileLogStoreOptions {
  /** Exists. Logs go below it, in `logs/`. */
  readonly libraryDir: string;
  /** Bytes of a segment of a log; 64 MiB when absent. */
  readonly segmentBytes?: number;
  /** Segments kept of a run; 32 when absent. */
  readonly segmentsKept?: number;
  readonly retention?: Retention;
  /** What is odd but no reason to stop, one sentence each; for the log. */
  readonly warn: (message: string) => void;
}

/** The logs of all runs, in files that the supervisors write. */
export class FileLogStore implements LogStore {
  constructor(_options: FileLogStoreOptions) {}

  read(
    _key: LogKey,
    _query: LogQuery,
    _complete: Promise<void>,
    _signal: AbortSignal,
  ): AsyncIterable<LogEntry> {
    throw new Error("not yet");
  }

  findByPid(_pid: number): LogKey | undefined {
    return undefined;
  }

  findByName(
    _cell: CellName,
    _executable: ExecutableName,
    _run: number | undefined,
  ): LogKey | undefined {
    return undefined;
  }

  /** Remove what is kept too long or is too much. Once after `adopt`, then hourly, by a timer of yours. */
  async retain(_now: Date): Promise<void> {}
}
