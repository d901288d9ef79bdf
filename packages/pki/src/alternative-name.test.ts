import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseAlternativeName, parseDnsName } from "./alternative-name.ts";
import { PkiError } from "./pki-error.ts";

test("parseAlternativeName() tells names from addresses", () => {
  assert.deepEqual(parseAlternativeName("node-1.Example"), {
    type: "dns",
    value: "node-1.Example",
  });
  assert.deepEqual(parseAlternativeName("192.0.2.1"), { type: "ip", value: "192.0.2.1" });
  assert.deepEqual(parseAlternativeName("2001:db8::1"), { type: "ip", value: "2001:db8::1" });
});

test("parseAlternativeName() refuses what is neither", () => {
  const neither = [
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "*.example",
    "a b",
    "a_b",
    "-a",
    "a-",
    "é",
    "a\n",
    "a,DNS:b",
    "a:1",
  ];
  const almost = [
    "127.0.0.256",
    "1.2.3",
    "[::1]",
    "fe80::1%eth0",
    "::1/64",
    "https://a",
    "spiffe://aurae.local/a",
  ];
  const long = ["a".repeat(64), `${"a.".repeat(127)}a`.replace("a", "aa")];

  for (const text of [...neither, ...almost, ...long]) {
    assert.throws(() => parseAlternativeName(text), PkiError, text);
  }
});

test("parseAlternativeName() says what is wrong in one line", () => {
  const message =
    'Cannot parse "a\\nb" as DNS name or IP address: it has a character other than a-z 0-9 - .';

  assert.throws(() => parseAlternativeName("a\nb"), { name: "PkiError", message });
});

test("parseDnsName() returns its text unchanged or refuses it", () => {
  fc.assert(
    fc.property(fc.oneof(fc.domain(), fc.string()), (text) => {
      try {
        return parseDnsName(text).value === text;
      } catch (error) {
        return error instanceof PkiError;
      }
    }),
  );
});

test("parseDnsName() refuses an address", () => {
  assert.throws(() => parseDnsName("10.0.0.5"), PkiError);
  assert.throws(() => parseDnsName("::1"), PkiError);
});
