/** The frames of docs/design/shim.md, written and read. Made apart from the daemon's, so that the two check each other. */
import { readFileSync } from "node:fs";

export const boot: string = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

export const type = {
  hello: 1,
  enclose: 2,
  enclosed: 3,
  failed: 4,
  start: 5,
  started: 6,
  stop: 7,
  stopped: 8,
  signal: 9,
  done: 10,
  state: 11,
  stateIs: 12,
  end: 13,
  ended: 14,
  run: 15,
  initDied: 16,
} as const;

export const allNamespaces: number =
  0x20000 | 0x4000000 | 0x8000000 | 0x20000000 | 0x40000000 | 0x2000000;
export const newPid = 0x20000000;
export const flag = { exited: 1, empty: 2, closed: 4 } as const;

/** Bytes in the order of a frame. */
export class Writer {
  readonly #parts: Buffer[] = [];

  #add(size: number, write: (bytes: Buffer) => void): this {
    const bytes = Buffer.alloc(size);
    write(bytes);
    this.#parts.push(bytes);
    return this;
  }
  u8(value: number): this {
    return this.#add(1, (bytes) => bytes.writeUInt8(value));
  }
  u16(value: number): this {
    return this.#add(2, (bytes) => bytes.writeUInt16LE(value));
  }
  u32(value: number): this {
    return this.#add(4, (bytes) => bytes.writeUInt32LE(value));
  }
  u64(value: bigint): this {
    return this.#add(8, (bytes) => bytes.writeBigUInt64LE(value));
  }
  text(value: string): this {
    const bytes = Buffer.from(value);
    this.u32(bytes.length);
    this.#parts.push(bytes);
    return this;
  }
  list<T>(items: readonly T[], each: (item: T) => void): this {
    this.u32(items.length);
    items.forEach(each);
    return this;
  }
  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** The same, read. */
export class Reader {
  #at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  #take(size: number): Buffer {
    this.#at += size;
    if (this.#at > this.#bytes.length) throw new RangeError("frame is cut");
    return this.#bytes.subarray(this.#at - size, this.#at);
  }
  u8(): number {
    return this.#take(1).readUInt8();
  }
  u16(): number {
    return this.#take(2).readUInt16LE();
  }
  u32(): number {
    return this.#take(4).readUInt32LE();
  }
  i32(): number {
    return this.#take(4).readInt32LE();
  }
  u64(): bigint {
    return this.#take(8).readBigUInt64LE();
  }
  bytes(): Buffer {
    return this.#take(this.u32());
  }
  text(): string {
    return this.bytes().toString();
  }
  get left(): number {
    return this.#bytes.length - this.#at;
  }
}

export interface Frame {
  readonly type: number;
  readonly request: number;
  readonly payload: Buffer;
}

export interface Run {
  readonly flags: number;
  readonly run: bigint;
  readonly executable: string;
  readonly pid: number;
  readonly start: bigint;
  readonly startedAt: bigint;
  readonly endedAt: bigint;
  readonly how: number;
  readonly status: number;
  readonly core: number;
  readonly reason: number;
  readonly dropped: bigint;
  readonly usage: ReadonlyMap<number, bigint>;
}

/** Read a record as a frame or a file has it. */
export function readRecord(flags: number, bytes: Buffer): Run {
  const reader = new Reader(bytes);
  const head = {
    flags,
    run: reader.u64(),
    executable: reader.text(),
    pid: reader.i32(),
    start: reader.u64(),
    startedAt: reader.u64(),
    endedAt: reader.u64(),
    how: reader.u8(),
    status: reader.i32(),
    core: reader.u8(),
    reason: reader.u8(),
    dropped: reader.u64(),
  };
  const usage = new Map<number, bigint>();
  for (let left = reader.u32(); left > 0; left--) usage.set(reader.u16(), reader.u64());
  if (reader.left > 0) throw new RangeError("record has bytes left over");
  return { ...head, usage };
}

export function readRun(frame: Frame): Run {
  const reader = new Reader(frame.payload);
  return readRecord(reader.u8(), reader.bytes());
}

export function readFailure(frame: Frame): { errno: number; step: string } {
  const reader = new Reader(frame.payload);
  return { errno: reader.i32(), step: reader.text() };
}
