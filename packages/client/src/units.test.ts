import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Invalid, parseDuration, parseSize } from "./client.ts";

test("parseSize() counts in binary: K, M, G and T", () => {
  const counted = ["0", "7", "1K", "512M", "1.5G", "1T"].map((text) => parseSize(text));

  assert.deepEqual(counted, [0n, 7n, 1024n, 536_870_912n, 1_610_612_736n, 1_099_511_627_776n]);
});

test("parseSize() refuses what is no whole number of bytes", () => {
  for (const text of ["", "M", "-1", "1KB", "1 M", "0.3K", "1e3", "18446744073709551616", "0x10"]) {
    assert.throws(() => parseSize(text), Invalid, text);
  }
});

test("parseSize() returns whole numbers as they are, and refuses all others", () => {
  const bytes = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

  fc.assert(
    fc.property(bytes, (size) => parseSize(size) === size && parseSize(`${size}`) === size),
  );
  assert.throws(() => parseSize(0.5), Invalid);
  assert.throws(() => parseSize(Number.NaN), Invalid);
});

test("parseSize() multiplies by 1024 with each unit", () => {
  const count = fc.integer({ min: 0, max: 2 ** 20 });

  fc.assert(fc.property(count, (n) => parseSize(`${n}M`) === 1024n * parseSize(`${n}K`)));
});

test("parseDuration() counts in milliseconds", () => {
  const counted = ["0ms", "250ms", "5s", "1.5s", "10m", "2h", "1d"].map((text) =>
    parseDuration(text),
  );

  assert.deepEqual(counted, [0, 250, 5000, 1500, 600_000, 7_200_000, 86_400_000]);
});

test("parseDuration() refuses a text without a unit, and what is no whole millisecond", () => {
  for (const text of ["", "5", "s", "-1s", "0.5ms", "1 s", "1y", "1e3s"]) {
    assert.throws(() => parseDuration(text), Invalid, text);
  }
});

test("parseDuration() takes any tenth of a second exactly", () => {
  const tenths = fc.integer({ min: 0, max: 2 ** 31 });

  fc.assert(
    fc.property(tenths, (n) => parseDuration(`${Math.floor(n / 10)}.${n % 10}s`) === n * 100),
  );
});

test("any text is read or refused with Invalid, never with another error", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const parse of [parseSize, parseDuration]) {
        try {
          parse(text);
        } catch (cause) {
          if (!(cause instanceof Invalid)) return false;
        }
      }
      return true;
    }),
  );
});
