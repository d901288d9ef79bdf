import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedBytes } from "./bytes.ts";
import { encodeFrame, type Frame, FrameReader, frameTypes, maxPayloadBytes } from "./frames.ts";

const frames: readonly Frame[] = [
  { type: frameTypes.hello, request: 0, payload: Buffer.from("hello") },
  { type: frameTypes.state, request: 7, payload: Buffer.alloc(0) },
  { type: frameTypes.run, request: 0, payload: Buffer.alloc(70_000, 1) },
];

test("FrameReader finds the same frames however the bytes are cut", () => {
  const bytes = Buffer.concat(frames.map(encodeFrame));

  for (const size of [1, 3, 9, 10, 11, 4096, bytes.length]) {
    const reader = new FrameReader();
    const found: Frame[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      found.push(...reader.push(bytes.subarray(at, at + size)));
    }
    assert.deepEqual(found, frames, `in pieces of ${size}`);
  }
});

test("FrameReader refuses a length that is too much before it has the bytes (fault 48)", () => {
  const header = Buffer.alloc(10);
  header.writeUInt32LE(maxPayloadBytes + 1, 0);
  header.writeUInt16LE(frameTypes.run, 4);

  assert.throws(() => [...new FrameReader().push(header)], MalformedBytes);
});

test("FrameReader takes a frame that trickles in without copying it for each drop (fault 48)", (t) => {
  const bytes = encodeFrame({ type: frameTypes.run, request: 0, payload: Buffer.alloc(2 ** 20) });
  const reader = new FrameReader();
  const made = [t.mock.method(Buffer, "allocUnsafe"), t.mock.method(Buffer, "concat")];

  const found: Frame[] = [];
  for (let at = 0; at < bytes.length; at += 1000)
    found.push(...reader.push(bytes.subarray(at, at + 1000)));

  const results = made.flatMap(({ mock }) => mock.calls.map(({ result }) => result?.length ?? 0));
  assert.equal(found.length, 1);
  const total = results.reduce((sum, length) => sum + length, 0);
  assert.ok(total < 8 * bytes.length, `${total} bytes were made of ${bytes.length}`);
});

test("FrameReader refuses types that nobody knows", () => {
  for (const type of [0, 17, 65_535]) {
    const header = Buffer.alloc(10);
    header.writeUInt16LE(type, 4);
    assert.throws(() => [...new FrameReader().push(header)], MalformedBytes);
  }
});

test("FrameReader gives the frames before one that is refused", () => {
  const [first] = frames;
  assert.ok(first !== undefined);
  const found: Frame[] = [];
  const reader = new FrameReader().push(Buffer.concat([encodeFrame(first), Buffer.alloc(10)]));

  assert.throws(() => {
    for (const frame of reader) found.push(frame);
  }, MalformedBytes);
  assert.deepEqual(found, [first]);
});

test("encodeFrame() refuses a payload that no frame holds", () => {
  const payload = Buffer.alloc(maxPayloadBytes + 1);

  assert.throws(() => encodeFrame({ type: frameTypes.start, request: 1, payload }), RangeError);
});
