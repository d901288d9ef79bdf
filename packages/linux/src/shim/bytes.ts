/** What comes from the other side and is not what it should be. Whoever reads it hangs up. */
export class MalformedBytes extends Error {}

/** Read the little-endian values of a payload one after another. Strict: see `finish`. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#advance(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#advance(4));
  }

  i32(): number {
    return this.#bytes.readInt32LE(this.#advance(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#advance(8));
  }

  i64(): bigint {
    return this.#bytes.readBigInt64LE(this.#advance(8));
  }

  bytes(): Buffer {
    const size = this.u32();
    const start = this.#advance(size);
    return this.#bytes.subarray(start, start + size);
  }

  text(): string {
    const bytes = this.bytes();
    if (bytes.includes(0)) throw new MalformedBytes("a text holds a NUL");
    return bytes.toString("utf8");
  }

  /** A list; each item takes at least one byte, so the count bounds nothing that is not there. */
  list<Item>(read: (reader: ByteReader) => Item): readonly Item[] {
    const count = this.u32();
    if (count > this.#bytes.length - this.#at) throw new MalformedBytes("a list is cut");
    return Array.from({ length: count }, () => read(this));
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Nothing may be left over. */
  finish(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw new MalformedBytes(`${left} bytes are left over`);
  }

  #advance(size: number): number {
    const start = this.#at;
    if (size > this.#bytes.length - start) throw new MalformedBytes("it is cut");
    this.#at += size;
    return start;
  }
}

/** Write little-endian values one after another. */
export class ByteWriter {
  #bytes = Buffer.allocUnsafe(256);
  #size = 0;

  u8(value: number): this {
    const at = this.#advance(1);
    this.#bytes.writeUInt8(value, at);
    return this;
  }

  u16(value: number): this {
    const at = this.#advance(2);
    this.#bytes.writeUInt16LE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#advance(4);
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }

  i32(value: number): this {
    const at = this.#advance(4);
    this.#bytes.writeInt32LE(value, at);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#advance(8);
    this.#bytes.writeBigUInt64LE(value, at);
    return this;
  }

  i64(value: bigint): this {
    const at = this.#advance(8);
    this.#bytes.writeBigInt64LE(value, at);
    return this;
  }

  /** Bytes with their length; text becomes UTF-8. */
  bytes(value: Uint8Array | string): this {
    const bytes = typeof value === "string" ? Buffer.from(value, "utf8") : value;
    this.u32(bytes.length);
    const at = this.#advance(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  list<Item>(items: readonly Item[], write: (writer: ByteWriter, item: Item) => void): this {
    this.u32(items.length);
    for (const item of items) write(this, item);
    return this;
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Make room. It may move the bytes, so they are not to be taken hold of before. */
  #advance(size: number): number {
    const start = this.#size;
    this.#size += size;
    if (this.#size > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#size, 2 * this.#bytes.length));
      this.#bytes.copy(grown, 0, 0, start);
      this.#bytes = grown;
    }
    return start;
  }
}
