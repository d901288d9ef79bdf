import { watch } from "node:fs";
import { Failure } from "@aurae/domain/errors";
import type { LogEntry, LoggedRun, LogKey, LogQuery } from "@aurae/domain/observe";
import { toWatchFailure } from "../host-failure.ts";
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
  run: LoggedRun,
  signal: AbortSignal,
): AsyncGenerator<LogEntry, void, undefined> {
  const files = new LogFiles(cellDirectory, key);
  const wake = new Wake();
  const { logComplete: complete } = run;
  const forgetGate = complete.onOpen(wake.raise);
  signal.addEventListener("abort", wake.raise);
  try {
    // Watched before it is read, so that what is written between is not missed.
    using _watcher = query.follow ? watchFiles(files, key, wake) : undefined;
    // What is complete is read to its end, so that a last line that was cut off is told of.
    const isWhole = query.follow || complete.isOpen;
    const { start, end: now, removed } = await findPlaces(files, key, query);
    const end = isWhole ? undefined : now;
    const isFirst = start.segment === 0 && start.offset === 0;
    const entries = new Entries(query, removed, isFirst);
    await using cursor = new SegmentCursor(files, start);
    let next: Step["next"] = "go on";
    while (!signal.aborted && next !== "end") {
      wake.reset();
      const step = await readStep(cursor, entries, end, run);
      // Not yield*: in an async generator it makes promises of its own for each entry.
      for (const entry of step.entries) yield entry;
      next = step.next;
      if (next === "wait") await wake.wait();
    }
  } finally {
    forgetGate();
    signal.removeEventListener("abort", wake.raise);
  }
}

interface Step {
  /** Made as they are taken: those of a whole chunk have many times its size. */
  readonly entries: Iterable<LogEntry>;
  readonly next: "go on" | "wait" | "end";
}

/** @param end where to stop; undefined to follow, until the log is complete */
async function readStep(
  cursor: SegmentCursor,
  entries: Entries,
  end: Place | undefined,
  { logComplete, linesDropped }: LoggedRun,
): Promise<Step> {
  const isComplete = logComplete.isOpen;
  const chunk = await cursor.next(end);
  if (chunk !== undefined) return { entries: entries.of(chunk), next: "go on" };
  if (end === undefined && !isComplete) return { entries: [], next: "wait" };
  if (end === undefined) {
    if (await cursor.hasRest()) entries.drop(1n);
    entries.dropUntold(linesDropped);
  }
  return { entries: entries.finish(), next: "end" };
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
    throw isGone ? notFound(key) : toWatchFailure(`Cannot follow ${describe(key)}`, cause);
  }
}

/** Makes entries of what is read: only the channels and times that were asked for, and the gaps. */
class Entries {
  readonly #query: LogQuery;
  #linesDropped = 0n;
  #segmentsRemoved: bigint;
  #lastNs = 0n;
  /** Lines that the log itself says are missing; undefined when not all of it is read. */
  #told: bigint | undefined;

  constructor(query: LogQuery, segmentsRemoved: number, isFromFirst: boolean) {
    this.#query = query;
    this.#told = isFromFirst ? 0n : undefined;
    this.#segmentsRemoved = BigInt(segmentsRemoved);
  }

  /** Those of a chunk. */
  *of(chunk: Chunk): Iterable<LogEntry> {
    switch (chunk.kind) {
      case "lines":
        for (const item of readCriLines(chunk.bytes)) {
          const gap = this.#gapBefore(item);
          if (gap !== undefined) yield gap;
          if (item.kind === "line" && this.#isWanted(item)) yield item;
        }
        return;
      case "garbage":
        return this.drop(1n);
      case "removed":
        this.#segmentsRemoved += BigInt(chunk.segments);
        this.#told = undefined;
        return;
      default:
        return chunk satisfies never;
    }
  }

  /** Lines are missing here. What cannot be read is one, so that nothing is missing silently. */
  drop(lines: bigint): void {
    this.#linesDropped += lines;
  }

  /** Of all lines that were dropped, those that the log had no room to tell of. */
  dropUntold(linesDropped: bigint): void {
    if (this.#told !== undefined && linesDropped > this.#told) this.drop(linesDropped - this.#told);
  }

  /** A gap with nothing after it, if there is one. */
  finish(): readonly LogEntry[] {
    const gap = this.#takeGap(this.#lastNs);
    return gap === undefined ? [] : [gap];
  }

  #gapBefore(item: CriItem): LogEntry | undefined {
    if (item.kind === "garbage") {
      this.drop(1n);
      return undefined;
    }
    if (item.kind === "dropped") {
      this.drop(item.lines);
      if (this.#told !== undefined) this.#told += item.lines;
    }
    this.#lastNs = item.atNs;
    return this.#takeGap(item.atNs);
  }

  #isWanted({ atNs, channel }: Extract<CriItem, { kind: "line" }>): boolean {
    return atNs >= this.#query.sinceNs && this.#query.channels.has(channel);
  }

  #takeGap(atNs: bigint): LogEntry | undefined {
    const [linesDropped, segmentsRemoved] = [this.#linesDropped, this.#segmentsRemoved];
    if (linesDropped === 0n && segmentsRemoved === 0n) return undefined;
    this.#linesDropped = 0n;
    this.#segmentsRemoved = 0n;
    if (atNs < this.#query.sinceNs) return undefined;
    return { kind: "gap", atNs, linesDropped, segmentsRemoved };
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
