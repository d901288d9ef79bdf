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

const malformed = "|.|a.|.a|a..b|*.example|a b|a_b|-a|a-|é|a,DNS:b|a:1".split("|");
const almost = "127.0.0.256|1.2.3|[::1]|fe80::1%eth0|::1/64|https://a|spiffe://aurae.local/a".split(
  "|",
);
const long = ["a".repeat(64), `aa${".a".repeat(126)}`];

test("parseAlternativeName() refuses what is neither", () => {
  for (const text of [...malformed, ...almost, ...long, "a\n", "a\0"]) {
    assert.throws(() => parseAlternativeName(text), PkiError, text);
  }
});

test("parseAlternativeName() accepts 63 bytes a label and 253 in all", () => {
  for (const value of ["a".repeat(63), `a${".a".repeat(126)}`]) {
    assert.deepEqual(parseAlternativeName(value), { type: "dns", value });
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
