import type { CellName } from "../cells/cell-name.ts";
import type { ExecutableName } from "../cells/executable-spec.ts";
import type { Gate } from "../gate.ts";

/** Which pipe of a process. */
export type Channel = "stdout" | "stderr";

/** Where the lines of one run are kept. It names them for as long as they are kept. */
export interface LogKey {
  /** The id of the cell's enclosure, not its name: names are used again. */
  readonly cellId: string;
  readonly executable: ExecutableName;
  readonly run: number;
}

export interface LogQuery {
  readonly channels: ReadonlySet<Channel>;
  /** False: end at what is written by now. */
  readonly follow: boolean;
  /** Only lines of this time or later, nanoseconds since the UNIX epoch; 0n for all. */
  readonly sinceNs: bigint;
  /** At most so many of the lines already written, the newest of the channels; undefined for all. */
  readonly tail: number | undefined;
}

/** One line, or one part of a long one; or a gap: what the log does not have any more. */
export type LogEntry =
  | {
      readonly kind: "line";
      readonly channel: Channel;
      /** Nanoseconds since the UNIX epoch. */
      readonly atNs: bigint;
      /** The bytes without the newline. */
      readonly bytes: Uint8Array;
      /** No newline came after these bytes. */
      readonly partial: boolean;
    }
  | {
      readonly kind: "gap";
      readonly atNs: bigint;
      readonly linesDropped: bigint;
      readonly segmentsRemoved: bigint;
    };

/** What is known of a run besides its log. */
export interface LoggedRun {
  /** Opens when nothing will be added to the log. */
  readonly logComplete: Gate;
  /** Lines that could not be written. A disk that stays full has no room to say so in the log. */
  readonly linesDropped: bigint;
}

/** Where logs are kept. `linux` implements it on files that the supervisors write. */
export interface LogStore {
  /**
   * The entries of a run in order: what is kept, then, when the query follows, what comes, until
   * the log is complete and all was read. Ends early, without an error, when the signal aborts.
   *
   * @throws Failure `not-found` when the log is not kept (any more)
   */
  read(key: LogKey, query: LogQuery, run: LoggedRun, signal: AbortSignal): AsyncIterable<LogEntry>;

  /** The run of this boot that had the pid last, live or ended, its cell freed or not. */
  findByPid(pid: number): LogKey | undefined;

  /** The latest run of the executable, or the run asked for, in the cell of that name allocated last. */
  findByName(
    cell: CellName,
    executable: ExecutableName,
    run: number | undefined,
  ): LogKey | undefined;
}
