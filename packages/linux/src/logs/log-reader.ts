import { watch } from "node:fs";
import { Failure } from "@aurae/domain/errors";
import type { Gate, LogEntry, LogKey, LogQuery } from "@aurae/domain/observe";
import { toHostFailure } from "../host-failure.ts";
import { type CriItem, readCriLines } from "./cri.ts";
import { LogFiles } from "./log-files.ts";
import { findTail } from "./log-tail.ts";
import { type Chunk, type Place, SegmentCursor } from "./segment-cursor.ts";
import { Wake } from "./wake.ts";

/**
 * The entries of a run's log: see `LogStore.read`. It holds one chunk and two descriptors at most; the
 * next chunk is read when the caller has taken the last entry of this one.
 */
export async function* readLog(
  cellDirectory: string,
  key: LogKey,
  query: LogQuery,
  complete: Gate,
  signal: AbortSignal,
): AsyncGenerator<LogEntry, void, undefined> {
  const files = new LogFiles(cellDirectory, key);
  const wake = new Wake();
  const forgetGate = complete.onOpen(wake.raise);
  signal.addEventListener("abort", wake.raise);
  // Watched before it is read, so that what is written between is not missed.
  using _watcher = query.follow ? watchFiles(files, key, wake) : undefined;
  try {
    const { start, end, removed } = await findPlaces(files, key, query);
    const entries = new Entries(query, removed);
    await using cursor = new SegmentCursor(files, start);
    while (!signal.aborted) {
      wake.reset();
      const wasComplete = complete.isOpen;
      const chunk = await cursor.next(query.follow ? undefined : end);
      if (chunk !== undefined) {
        yield* entries.of(chunk);
      } else if (!query.follow || wasComplete) {
        if (wasComplete && (await cursor.hasRest())) entries.drop(1n);
        yield* entries.finish();
        return;
      } else {
        await wake.wait();
      }
    }
  } finally {
    forgetGate();
    signal.removeEventListener("abort", wake.raise);
  }
}

interface Places {
  readonly start: Place;
  /** Where the log ended when it was asked for. */
  readonly end: Place;
  /** Segments that are gone, and that the caller would have got. */
  readonly removed: number;
}

async function findPlaces(files: LogFiles, key: LogKey, query: LogQuery): Promise<Places> {
  const segments = await files.segments();
  const [oldest, newest] = [segments[0], segments.at(-1)];
  if (oldest === undefined || newest === undefined) throw notFound(key);
  await using file = await files.open(newest);
  const end = { segment: newest, offset: (await file?.stat())?.size ?? 0 };
  if (query.tail === undefined) {
    return { start: { segment: oldest, offset: 0 }, end, removed: oldest };
  }
  const start = await findTail(files, segments, query.channels, query.tail);
  const isAll = start.segment === oldest && start.offset === 0;
  return { start, end, removed: isAll ? oldest : 0 };
}

/** Tells of what is written, by inotify: a wake-up for a burst, not for a line. */
function watchFiles(files: LogFiles, key: LogKey, wake: Wake): Disposable {
  try {
    const watcher = watch(files.directory, (_, name) => {
      if (files.isOurs(name)) wake.raise();
    });
    watcher.on("error", wake.raise);
    return { [Symbol.dispose]: () => watcher.close() };
  } catch (cause) {
    const isGone = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw isGone ? notFound(key) : toHostFailure(`Cannot follow ${describe(key)}`, cause);
  }
}

/** Makes entries of what is read: only the channels and times that were asked for, and the gaps. */
class Entries {
  readonly #query: LogQuery;
  #linesDropped = 0n;
  #segmentsRemoved: bigint;
  #lastNs = 0n;

  constructor(query: LogQuery, segmentsRemoved: number) {
    this.#query = query;
    this.#segmentsRemoved = BigInt(segmentsRemoved);
  }

  *of(chunk: Chunk): Generator<LogEntry, void, undefined> {
    switch (chunk.kind) {
      case "lines":
        for (const item of readCriLines(chunk.bytes)) yield* this.#ofItem(item);
        return;
      case "garbage":
        return this.drop(1n);
      case "removed":
        this.#segmentsRemoved += BigInt(chunk.segments);
        return;
      default:
        chunk satisfies never;
    }
  }

  /** Lines are missing here. What cannot be read is one, so that nothing is missing silently. */
  drop(lines: bigint): void {
    this.#linesDropped += lines;
  }

  /** A gap with nothing after it. */
  finish(): Generator<LogEntry, void, undefined> {
    return this.#gap(this.#lastNs);
  }

  *#ofItem(item: CriItem): Generator<LogEntry, void, undefined> {
    if (item.kind === "garbage") return this.drop(1n);
    if (item.kind === "dropped") this.drop(item.lines);
    this.#lastNs = item.atNs;
    yield* this.#gap(item.atNs);
    if (item.kind === "dropped" || item.atNs < this.#query.sinceNs) return;
    if (this.#query.channels.has(item.channel)) yield item;
  }

  *#gap(atNs: bigint): Generator<LogEntry, void, undefined> {
    const [linesDropped, segmentsRemoved] = [this.#linesDropped, this.#segmentsRemoved];
    if (linesDropped === 0n && segmentsRemoved === 0n) return;
    this.#linesDropped = 0n;
    this.#segmentsRemoved = 0n;
    if (atNs >= this.#query.sinceNs) yield { kind: "gap", atNs, linesDropped, segmentsRemoved };
  }
}

function notFound(key: LogKey): Failure {
  const metadata = { executable: key.executable, run: String(key.run) };
  const message = `Cannot read ${describe(key)}: it is not kept any more`;
  return new Failure("not-found", "LOG_NOT_FOUND", message, { metadata });
}

function describe({ executable, run }: LogKey): string {
  return `the log of run ${run} of "${executable}"`;
}
