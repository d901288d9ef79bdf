import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatTime } from "../testing/format-time.ts";
import { readCriLine, readCriLines } from "./cri.ts";

const time = "2026-01-02T03:04:05.123456789Z";
const atNs = 1_767_323_045_123_456_789n;

test("readCriLine() reads a line byte for byte", () => {
  const text = Buffer.from([0, 255, 32, 27, 128]);

  const item = readCriLine(Buffer.concat([Buffer.from(`${time} stderr F `), text]));

  assert.deepEqual(item, { kind: "line", channel: "stderr", atNs, bytes: text, partial: false });
});

test("readCriLine() reads a part, an empty line and a mark of lines that were dropped", () => {
  const part = readCriLine(Buffer.from(`${time} stdout P abc`));
  const empty = readCriLine(Buffer.from(`${time} stdout F `));

  assert.equal(part.kind === "line" && part.partial, true);
  assert.equal(empty.kind === "line" && empty.bytes.length, 0);
  assert.deepEqual(readCriLine(Buffer.from(`${time} stdout F:dropped=12 `)), {
    kind: "dropped",
    atNs,
    lines: 12n,
  });
});

for (const line of [
  "",
  "\0\0\0",
  `${time} stdout F`,
  `${time} stdin F x`,
  `${time} stdout Q x`,
  `${time} stdout F:dropped= `,
  `${time.replace("T", " ")} stdout F x`,
  `${time.replace("01-02", "13-45")} stdout F x`,
  time,
]) {
  test(`readCriLine() says that ${JSON.stringify(line)} is no line`, () => {
    assert.deepEqual(readCriLine(Buffer.from(line)), { kind: "garbage" });
  });
}

test("readCriLines() never throws, and finds as many items as there are newlines", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const chunk = Buffer.from(bytes);
      const newlines = chunk.filter((byte) => byte === 0x0a).length;
      assert.equal([...readCriLines(chunk)].length, newlines);
    }),
  );
});

test("readCriLine() reads any time to the nanosecond", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 4_102_444_800_000_000_000n), (ns) => {
      const item = readCriLine(Buffer.from(`${formatTime(ns)} stdout F x`));
      assert.equal(item.kind === "line" && item.atNs, ns);
    }),
  );
});
