import type { FileHandle } from "node:fs/promises";
import type { Channel } from "@aurae/domain/observe";
import { maxHeaderBytes, readCriLine } from "./cri.ts";
import type { LogFiles } from "./log-files.ts";
import { chunkBytes, type Place } from "./segment-cursor.ts";

const newline = 0x0a;

/**
 * Where the last so many lines of some channels begin. Read backwards, a chunk at a time, and nothing
 * of the text is kept: a line of any length costs no memory.
 *
 * @param segments those that are kept, in order; at least one
 */
export async function findTail(
  files: LogFiles,
  segments: readonly number[],
  channels: ReadonlySet<Channel>,
  lines: number,
): Promise<Place> {
  const counter = new LineCounter(channels, lines);
  let place: Place | undefined;
  for (const segment of segments.toReversed()) {
    await using file = await files.open(segment);
    if (file === undefined) break; // Removed since; older ones are too.
    const { offset, isEnough } = await countBackwards(file, counter);
    place = { segment, offset };
    if (isEnough) break;
  }
  return place ?? { segment: segments.at(-1) ?? 0, offset: 0 };
}

interface Counted {
  /** The beginning of the oldest line that is wanted. */
  readonly offset: number;
  readonly isEnough: boolean;
}

async function countBackwards(file: FileHandle, counter: LineCounter): Promise<Counted> {
  // What stands after the last newline is being written: nobody reads it yet.
  let end = await findLastEnd(file);
  while (end > 0) {
    const start = Math.max(0, end - chunkBytes);
    const lines = splitBackwards(await readAt(file, start, end), start === 0);
    // A whole chunk without a line in it is something of another's.
    if (lines.length === 0) end = start;
    for (const { at, header } of lines) {
      if (!counter.take(header)) return { offset: end, isEnough: true };
      end = start + at;
    }
  }
  return { offset: 0, isEnough: false };
}

async function findLastEnd(file: FileHandle): Promise<number> {
  for (let end = (await file.stat()).size; end > 0; ) {
    const start = Math.max(0, end - chunkBytes);
    const newlineAt = (await readAt(file, start, end)).lastIndexOf(newline);
    if (newlineAt >= 0) return start + newlineAt + 1;
    end = start;
  }
  return 0;
}

async function readAt(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(end - start);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
  return buffer.subarray(0, bytesRead);
}

interface LineStart {
  readonly at: number;
  readonly header: Buffer;
}

/** The lines of a chunk that ends with one, the last first; the first only if it begins here. */
function splitBackwards(chunk: Buffer, isStart: boolean): readonly LineStart[] {
  const lines: LineStart[] = [];
  let at = chunk.length;
  while (at > 0) {
    const end = at;
    // A negative place would be counted from the end.
    at = end < 2 ? 0 : chunk.lastIndexOf(newline, end - 2) + 1;
    if (at === 0 && !isStart) break;
    lines.push({ at, header: chunk.subarray(at, Math.min(end - 1, at + maxHeaderBytes)) });
  }
  return lines;
}

/** Counts lines from the newest to the oldest; the parts of a long line are one. */
class LineCounter {
  readonly #channels: ReadonlySet<Channel>;
  readonly #wanted: number;
  readonly #seen = new Set<Channel>();
  #count = 0;

  constructor(channels: ReadonlySet<Channel>, wanted: number) {
    this.#channels = channels;
    this.#wanted = wanted;
  }

  /** Whether the line belongs to what is wanted. */
  take(header: Buffer): boolean {
    const item = readCriLine(header);
    if (item.kind !== "line" || !this.#channels.has(item.channel)) return true;
    // A part belongs to the newer line of its channel, unless that is still without an end.
    const begins = !item.partial || !this.#seen.has(item.channel);
    this.#seen.add(item.channel);
    if (begins) this.#count++;
    return this.#count <= this.#wanted;
  }
}
