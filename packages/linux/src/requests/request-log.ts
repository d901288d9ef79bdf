import { closeSync, constants, writeSync } from "node:fs";
import {
  type Answer,
  type RememberedAnswer,
  type RequestMark,
  type RequestMemory,
  rememberedAnswers,
} from "@aurae/domain/cells";
import { errnoOf, inWords } from "../errno.ts";
import { toHostFailure } from "../host-failure.ts";
import { openOwnFileSync, readOwnFile } from "../own-file.ts";
import type { StateDisk } from "../state-disk.ts";
import { encodeAnswer, type KeptAnswer, readAnswer, slotBytes } from "./answer-bytes.ts";

/** The file grows by so many slots. */
const slotsAtOnce = 64;

export interface RequestLogOptions {
  readonly path: string;
  /** Answers of another boot are nothing. */
  readonly bootId: string;
  readonly disk: StateDisk;
  readonly warn: (message: string) => void;
}

/**
 * The answers to requests with a mark, in memory and in a file of the runtime directory: a ring of
 * slots, each written in place over the oldest. The file grows before anything is done, so an answer
 * is written to bytes that the disk has given already; it is not there before the first such request.
 */
export class RequestLog implements RequestMemory, Disposable {
  readonly #path: string;
  readonly #bootId: string;
  readonly #disk: StateDisk;
  readonly #warn: (message: string) => void;
  /** By key, the oldest first. */
  readonly #answers = new Map<string, KeptAnswer>();
  #descriptor: number | undefined;
  #nextSequence = 0;
  /** Slots for answers that are still to be given. */
  #reserved = 0;
  /** Slots that the file has. */
  #slots = 0;

  constructor({ path, bootId, disk, warn }: RequestLogOptions) {
    this.#path = path;
    this.#bootId = bootId;
    this.#disk = disk;
    this.#warn = warn;
    this.#load();
  }

  recall(key: string): RememberedAnswer | undefined {
    return this.#answers.get(key);
  }

  reserve(): Disposable {
    try {
      this.#disk.write(() => this.#grow(this.#nextSequence + this.#reserved + 1));
    } catch (cause) {
      throw toHostFailure(`Cannot note a request in ${this.#path}`, cause);
    }
    this.#reserved += 1;
    return {
      [Symbol.dispose]: () => {
        this.#reserved -= 1;
      },
    };
  }

  note(mark: RequestMark, answer: Answer): void {
    const kept = { sequence: this.#nextSequence, mark, answer };
    this.#nextSequence += 1;
    this.#answers.delete(mark.key);
    this.#answers.set(mark.key, kept);
    this.#forgetOldest();
    this.#put(kept.sequence, encodeAnswer(kept, this.#bootId));
  }

  /** Remember an answer that may have been noted before. */
  noteOnce(mark: RequestMark, answer: Answer): void {
    if (!this.#answers.has(mark.key)) this.note(mark, answer);
  }

  /** It was noted too early: what was asked for is not done. */
  forget({ key }: RequestMark): void {
    const kept = this.#answers.get(key);
    if (kept === undefined) return;
    this.#answers.delete(key);
    this.#put(kept.sequence, Buffer.alloc(slotBytes));
  }

  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #put(sequence: number, slot: Buffer): void {
    try {
      this.#disk.write(() => {
        this.#grow(sequence + 1);
        writeSync(this.#open(), slot, 0, slotBytes, slotOf(sequence) * slotBytes);
      });
    } catch (cause) {
      this.#warn(`Cannot note the answer to a request in ${this.#path}: ${inWords(cause)}`);
    }
  }

  #grow(slots: number): void {
    const wanted = Math.min(slots, rememberedAnswers);
    while (this.#slots < wanted) {
      const zeros = Buffer.alloc(slotsAtOnce * slotBytes);
      const written = writeSync(this.#open(), zeros, 0, zeros.length, this.#slots * slotBytes);
      if (written < slotBytes) throw new Error("no whole slot fits behind the last");
      this.#slots += Math.floor(written / slotBytes);
    }
  }

  #open(): number {
    const { O_CREAT, O_WRONLY } = constants;
    this.#descriptor ??= openOwnFileSync(this.#path, O_CREAT | O_WRONLY);
    return this.#descriptor;
  }

  #forgetOldest(): void {
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > rememberedAnswers && oldest !== undefined)
      this.#answers.delete(oldest);
  }

  #load(): void {
    const bytes = this.#read();
    this.#slots = Math.floor(bytes.length / slotBytes);
    const kept = Array.from({ length: this.#slots }, (_, slot) =>
      this.#readSlot(bytes, slot),
    ).flat();
    for (const answer of kept.sort((one, other) => one.sequence - other.sequence)) {
      this.#answers.delete(answer.mark.key);
      this.#answers.set(answer.mark.key, answer);
      this.#nextSequence = answer.sequence + 1;
    }
  }

  #read(): Buffer {
    try {
      return readOwnFile(this.#path, rememberedAnswers * slotBytes);
    } catch (cause) {
      if (errnoOf(cause) !== "ENOENT") {
        this.#warn(`Cannot read which requests were answered: ${inWords(cause)}`);
      }
      return Buffer.alloc(0);
    }
  }

  /** One that is damaged takes no other with it (faults 61, 62). */
  #readSlot(bytes: Buffer, slot: number): readonly KeptAnswer[] {
    try {
      const kept = readAnswer(
        bytes.subarray(slot * slotBytes, (slot + 1) * slotBytes),
        this.#bootId,
      );
      return kept === undefined ? [] : [kept];
    } catch (cause) {
      const where = `in ${this.#path} at byte ${slot * slotBytes}`;
      this.#warn(
        `Cannot read an answer ${where}: ${inWords(cause)}; its request may be done again`,
      );
      return [];
    }
  }
}

function slotOf(sequence: number): number {
  return sequence % rememberedAnswers;
}
