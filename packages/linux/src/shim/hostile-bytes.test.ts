import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeOpenRecord } from "../testing/record-file.ts";
import { ByteWriter, MalformedBytes } from "./bytes.ts";
import { encodeFrame, FrameReader, frameTypes, maxPayloadBytes } from "./frames.ts";
import * as messages from "./messages.ts";
import { readRecord, readRecordFile } from "./record.ts";

const file = encodeOpenRecord(3, "main");
const record = file.subarray(16);
const state = new ByteWriter().i32(6).u64(6n).i32(7).u64(8n).u32(2);
for (let run = 0; run < 2; run++) state.u8(1).bytes(record);
const hello = new ByteWriter().u32(0x5352_5541).u16(1).bytes("0123456789abcdef");

/** Everything that reads what a supervisor says or writes, with something that is right. */
const readers: Record<string, readonly [read: (bytes: Buffer) => unknown, right: Buffer]> = {
  hello: [messages.readHello, hello.bytes("boot").bytes("build").finish()],
  ENCLOSED: [messages.readEnclosed, new ByteWriter().i32(6).u64(6n).i32(7).u64(8n).finish()],
  FAILED: [messages.readFailed, new ByteWriter().i32(2).bytes("exec").finish()],
  STARTED: [messages.readStarted, new ByteWriter().u64(1n).i32(42).u64(7n).i64(9n).finish()],
  STOPPED: [messages.readStopped, new ByteWriter().u64(1n).finish()],
  DONE: [messages.readEmpty, Buffer.alloc(0)],
  STATE_IS: [messages.readState, state.u32(0).finish()],
  RUN: [messages.readRunEvent, new ByteWriter().u8(7).bytes(record).finish()],
  INIT_DIED: [messages.readInitDied, new ByteWriter().u8(2).i32(9).finish()],
  "a record": [readRecord, record],
  "the file of a record": [readRecordFile, file],
};

/** Any bytes; and what is right with a few bytes changed, or with an end of its own. */
function hostile(right: Buffer): fc.Arbitrary<Buffer> {
  const edit = fc.tuple(
    fc.nat(right.length),
    fc.constantFrom(0, 1, 0x7f, 0xff) as fc.Arbitrary<number>,
  );
  const edited = fc.tuple(
    fc.array(edit, { maxLength: 6 }),
    fc.nat(right.length),
    fc.uint8Array({ maxLength: 8 }),
  );
  return fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    edited.map(([edits, size, end]) => {
      const bytes = Buffer.concat([right.subarray(0, size), end]);
      for (const [at, byte] of edits) if (at < bytes.length) bytes[at] = byte;
      return bytes;
    }),
  );
}

function isReadOrMalformed(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (cause) {
    return cause instanceof MalformedBytes;
  }
}

for (const [what, [read, right]] of Object.entries(readers)) {
  test(`${what} of any bytes is read, or malformed, and nothing else (fault 48)`, () => {
    assert.doesNotThrow(() => read(Buffer.from(right)));
    fc.assert(
      fc.property(hostile(right), (bytes) => isReadOrMalformed(() => read(bytes))),
      { numRuns: 1000 },
    );
  });
}

test("a list that claims four thousand million items is refused at once (fault 48)", () => {
  const claim = new ByteWriter().i32(6).u64(6n).i32(7).u64(8n).u32(0xffff_ffff).finish();
  const long = Buffer.concat([claim, Buffer.alloc(maxPayloadBytes - claim.length)]);

  assert.throws(() => messages.readState(claim), MalformedBytes);
  assert.throws(() => messages.readState(long), MalformedBytes);
});

test("any bytes in any pieces are frames, or malformed, and no frame is lost before (fault 48)", () => {
  const right = encodeFrame({ type: frameTypes.state, request: 7, payload: Buffer.alloc(5) });
  const pieces = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 50 });

  fc.assert(
    fc.property(hostile(right), pieces, (bytes, sizes) => {
      const reader = new FrameReader();
      let found = 0;
      const isFine = isReadOrMalformed(() => {
        const all = Buffer.concat([right, bytes]);
        for (let at = 0, i = 0; at < all.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          for (const frame of reader.push(all.subarray(at, at + size))) {
            if (found++ === 0) assert.deepEqual(frame.payload, Buffer.alloc(5));
          }
          at += size;
        }
      });
      return isFine && found > 0;
    }),
    { numRuns: 1000 },
  );
});
