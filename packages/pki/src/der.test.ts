import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { readDer } from "./der.ts";

function read(...bytes: readonly number[]): unknown {
  return readDer(Uint8Array.from(bytes)).map(({ tag, contents }) => [tag, ...contents]);
}

function bytes(length: number): readonly number[] {
  return new Array<number>(length).fill(1);
}

test("readDer() splits elements and leaves what is in them", () => {
  assert.deepEqual(read(), []);
  assert.deepEqual(read(0x02, 0x01, 0x07, 0x30, 0x02, 0x05, 0x00), [
    [0x02, 0x07],
    [0x30, 0x05, 0x00],
  ]);
});

test("readDer() reads lengths of up to three bytes", () => {
  assert.deepEqual(read(0x04, 0x81, 0x80, ...bytes(0x80)), [[0x04, ...bytes(0x80)]]);
  assert.deepEqual(read(0x04, 0x82, 0x01, 0x00, ...bytes(0x100)), [[0x04, ...bytes(0x100)]]);
  assert.deepEqual(read(0x04, 0x83, 0x01, 0x00, 0x00, ...bytes(0x10000)), [
    [0x04, ...bytes(0x10000)],
  ]);
});

test("readDer() refuses lengths that are not the shortest", () => {
  assert.throws(() => read(0x04, 0x81, 0x01, 0x00), /longer than it need be$/);
  assert.throws(() => read(0x04, 0x82, 0x00, 0x80, ...bytes(128)), /longer than it need be$/);
});

test("readDer() refuses indefinite and huge lengths, long tags and what is cut off", () => {
  assert.throws(() => read(0x30, 0x80, 0x00, 0x00), /indefinite or huge$/);
  assert.throws(() => read(0x30, 0x84, 0x01, 0x00, 0x00, 0x00), /indefinite or huge$/);
  assert.throws(() => read(0x1f, 0x01, 0x00), /number above 30$/);
  assert.throws(() => read(0x04), /cut off at byte 1$/);
  assert.throws(() => read(0x04, 0x82, 0x01), /cut off at byte 3$/);
  assert.throws(() => read(0x05, 0x00, 0x04, 0x02, 0x00), /the element at byte 2 is cut off$/);
});

test("readDer() accounts for every byte, or refuses", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        const inside = readDer(bytes).reduce((sum, { contents }) => sum + contents.length, 0);
        return inside <= bytes.length;
      } catch (error) {
        return error instanceof Error;
      }
    }),
  );
});
