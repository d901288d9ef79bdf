import { LogChannelType, type LogItem as LogItemOnWire, type Observe } from "@aurae/api/observe";
import { type Duration, parseDuration } from "./duration.ts";
import { dropAbsent } from "./present.ts";
import type { CallOptions, RpcClient } from "./rpc.ts";
import { toDate, toNs } from "./time.ts";

/** Whose lines: those of an executable, by default of its latest run, or of a process. */
export type LogSource =
  | { readonly cell: string; readonly executable: string; readonly run?: bigint | undefined }
  | { readonly pid: number };

/** Which lines. */
export interface LogOptions extends CallOptions {
  /** Go on until the source ends. Absent: true. */
  readonly follow?: boolean | undefined;
  /** Only lines of this time or later; a duration counts back from now. */
  readonly since?: Date | Duration | (string & {}) | undefined;
  /** At most so many of the lines already written, the newest. */
  readonly tail?: number | undefined;
  /** Absent: both, in the order in which they came. */
  readonly stream?: "stdout" | "stderr" | undefined;
}

/** A line of a log, or word of lines that are missing: then `gap` is there, and no text. */
export interface LogItem {
  readonly stream: "stdout" | "stderr" | "daemon";
  /** Without its newline; bytes that are not UTF-8 are U+FFFD. */
  readonly text: string;
  /** The exact bytes of the line, without its newline. */
  readonly bytes: Uint8Array;
  /** When it was read from the process. */
  readonly time: Date;
  /** The same, nanoseconds since the UNIX epoch. */
  readonly timeNs: bigint;
  /** No newline came after this text: the next item of the stream goes on, or the process ended. */
  readonly partial: boolean;
  readonly gap?: { readonly linesDropped: bigint; readonly segmentsRemoved: bigint };
}

/** The logs of a node. A stream replays what is kept, then follows; leaving the loop ends it. */
export class Logs {
  readonly #rpc: RpcClient<typeof Observe>;

  constructor(rpc: RpcClient<typeof Observe>) {
    this.#rpc = rpc;
  }

  /** The lines of one run of an executable. */
  async *follow(
    source: LogSource,
    options: LogOptions = {},
  ): AsyncGenerator<LogItem, void, undefined> {
    const request = {
      ...toSource(source),
      ...toSelection(options),
      allChannels: options.stream === undefined,
      channelType:
        options.stream === "stderr" ? LogChannelType.CHANNEL_STDERR : LogChannelType.CHANNEL_STDOUT,
    };
    for await (const item of this.#rpc.getSubProcessStream(request, options))
      yield readLogItem(item);
  }

  /** What the daemon logs; `text` is a record as JSON. */
  async *followDaemon(
    options: Omit<LogOptions, "stream"> = {},
  ): AsyncGenerator<LogItem, void, undefined> {
    const request = toSelection(options);
    for await (const item of this.#rpc.getAuraeDaemonLogStream(request, options))
      yield readLogItem(item);
  }
}

function toSource(source: LogSource) {
  if ("pid" in source) return { processId: BigInt(source.pid) };
  const { cell, executable, run } = source;
  return { cellName: cell, executableName: executable, ...(run !== undefined && { run }) };
}

function toSelection({ follow, since, tail }: LogOptions) {
  return {
    sinceNs: since === undefined ? 0n : toNs(toTime(since)),
    ...dropAbsent({ follow, tail: tail === undefined ? undefined : BigInt(tail) }),
  };
}

function toTime(since: NonNullable<LogOptions["since"]>): Date {
  return since instanceof Date ? since : new Date(Date.now() - parseDuration(since));
}

function readLogItem(item: LogItemOnWire): LogItem {
  const { channel, line, raw, timestampNs, partial, gap } = item;
  return {
    stream: readStream(channel),
    text: line,
    bytes: raw.length > 0 ? raw : Buffer.from(line),
    time: toDate(timestampNs),
    timeNs: timestampNs,
    partial,
    ...(gap && {
      gap: { linesDropped: gap.linesDropped, segmentsRemoved: gap.segmentsRemoved },
    }),
  };
}

function readStream(channel: string): LogItem["stream"] {
  if (channel.endsWith("::stderr")) return "stderr";
  return channel.endsWith("::stdout") ? "stdout" : "daemon";
}
