import type { FileHandle } from "node:fs/promises";
import type { LogFiles } from "./log-files.ts";

/** A place in a log: it stays right, for nothing is renamed and nothing whole is changed. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
}

/**
 * What a reader has in memory at most: with a thousand subscribers, half of them stalled, 9 MB
 * (fault 54). Room for the longest line with what stands before it, and no more: two would seldom fit.
 * So a chunk without a newline is no line of ours.
 */
export const chunkBytes: number = 17 * 1024;

const newline = 0x0a;

export type Chunk =
  /** Whole lines, in memory of their own. */
  | { readonly kind: "lines"; readonly bytes: Buffer }
  /** Something that is no line was skipped. */
  | { readonly kind: "garbage" }
  /** So many segments have been removed before they were read. */
  | { readonly kind: "removed"; readonly segments: number };

/**
 * Goes forward through the segments of a log. What is not a whole line yet stays unread: a write that
 * failed is cut back to the last whole line, and may be written again in another way.
 */
export class SegmentCursor implements AsyncDisposable {
  readonly #files: LogFiles;
  #segment: number;
  #offset: number;
  #file: FileHandle | undefined;
  /** In the middle of something too long to be a line. */
  #isSkipping = false;

  constructor(files: LogFiles, { segment, offset }: Place) {
    this.#files = files;
    this.#segment = segment;
    this.#offset = offset;
  }

  /** What is there to read now, up to `end` if given. Undefined when nothing is. */
  async next(end: Place | undefined): Promise<Chunk | undefined> {
    for (;;) {
      this.#file ??= await this.#files.open(this.#segment);
      if (this.#file === undefined) return this.#skipRemoved();
      const limit = end?.segment === this.#segment ? end.offset : Number.POSITIVE_INFINITY;
      const chunk = await this.#read(this.#file, limit);
      if (chunk !== undefined) return chunk;
      if (end !== undefined && this.#segment >= end.segment) return undefined;
      const moved = await this.#move(this.#file);
      if (moved !== "moved") return moved === "stay" ? undefined : moved;
    }
  }

  /** Whether there is the beginning of a line that, if nobody writes any more, will have no end. */
  async hasRest(): Promise<boolean> {
    if (this.#isSkipping) return true;
    return this.#file !== undefined && (await this.#file.stat()).size > this.#offset;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #read(file: FileHandle, limit: number): Promise<Chunk | undefined> {
    const { size } = await file.stat();
    const length = Math.min(chunkBytes, Math.min(size, limit) - this.#offset);
    if (length <= 0) return undefined;
    // Not from the pool: a chunk is kept as long as a subscriber keeps one of its lines.
    const buffer = Buffer.allocUnsafeSlow(length);
    const { bytesRead } = await file.read(buffer, 0, length, this.#offset);
    const bytes = buffer.subarray(0, bytesRead);
    if (this.#isSkipping) return this.#skip(bytes);
    const whole = bytes.lastIndexOf(newline) + 1;
    this.#offset += whole;
    if (whole > 0) return { kind: "lines", bytes: bytes.subarray(0, whole) };
    if (bytesRead === chunkBytes) {
      this.#isSkipping = true;
      this.#offset += bytesRead;
      return { kind: "garbage" };
    }
    return undefined;
  }

  /** To the end of what is too long; it was counted when it began. */
  #skip(bytes: Buffer): Chunk {
    const end = bytes.indexOf(newline);
    this.#offset += end < 0 ? bytes.length : end + 1;
    this.#isSkipping = end < 0;
    return { kind: "lines", bytes: Buffer.alloc(0) };
  }

  /** At the end of a segment: on to the next one, if it is there. */
  async #move(file: FileHandle): Promise<Chunk | "moved" | "stay"> {
    const next = await this.#files.open(this.#segment + 1);
    if (next === undefined) {
      // Segments go oldest first: as long as this one is there, the next one has not been either.
      const { nlink } = await file.stat();
      if (nlink > 0) return "stay";
      await file.close();
      this.#file = undefined;
      return (await this.#skipRemoved(1)) ?? "stay";
    }
    // Between our last look and the next segment's coming, the last lines of this one were written.
    const { size } = await file.stat();
    const isRead = size <= this.#offset;
    const rest = isRead ? undefined : await this.#read(file, Number.POSITIVE_INFINITY);
    if (rest !== undefined) {
      await next.close();
      return rest;
    }
    await file.close();
    this.#file = next;
    this.#segment += 1;
    this.#offset = 0;
    const wasCut = !isRead && !this.#isSkipping;
    this.#isSkipping = false;
    return wasCut ? { kind: "garbage" } : "moved";
  }

  /** To the oldest segment that is kept, if there is one. @param read 1 when the one here was read */
  async #skipRemoved(read: 0 | 1 = 0): Promise<Chunk | undefined> {
    const oldest = (await this.#files.segments()).find(
      (segment) => segment >= this.#segment + read,
    );
    if (oldest === undefined) return undefined;
    const segments = oldest - this.#segment - read;
    this.#segment = oldest;
    this.#offset = 0;
    this.#isSkipping = false;
    return { kind: "removed", segments };
  }
}
