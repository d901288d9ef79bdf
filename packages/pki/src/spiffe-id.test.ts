import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { PkiError } from "./pki-error.ts";
import { parseSpiffeId, parseTrustDomain } from "./spiffe-id.ts";

function refuses(text: string, why: string): void {
  assert.throws(
    () => parseSpiffeId(text),
    (error) => error instanceof PkiError && error.message.endsWith(why),
  );
}

const parts = [
  "spiffe:",
  "",
  "aurae.local",
  "..",
  ".",
  "a",
  "B_1",
  "%61",
  " ",
  ",",
  "é",
  "\n",
  "?q",
  "#f",
];
const plain = /^spiffe:\/\/aurae\.local(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/;

test("parseSpiffeId() returns its text unchanged or refuses it", () => {
  const rest = fc.array(fc.constantFrom(...parts)).map((some) => some.join("/"));
  const text = fc.oneof(
    rest,
    rest.map((some) => `spiffe://aurae.local/${some}`),
  );

  fc.assert(
    fc.property(text, (id) => {
      if (plain.test(id)) assert.equal(parseSpiffeId(id), id);
      else assert.throws(() => parseSpiffeId(id), PkiError);
    }),
  );
});

test("parseSpiffeId() accepts every path of plain segments", () => {
  const segment = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,30}$/);
  const id = fc
    .array(segment, { minLength: 1 })
    .map((path) => `spiffe://aurae.local/${path.join("/")}`);

  fc.assert(fc.property(id, (text) => parseSpiffeId(text) === text));
});

test("parseSpiffeId() counts 2048 bytes and no more", () => {
  const longest = "spiffe://aurae.local/".padEnd(2048, "a");

  assert.equal(parseSpiffeId(longest), longest);
  refuses(`${longest}a`, "it is longer than 2048 bytes");
});

test("parseSpiffeId() names what is wrong", () => {
  refuses("SPIFFE://aurae.local/a", "it does not begin with spiffe://");
  refuses("https://aurae.local/a", "it does not begin with spiffe://");
  refuses("spiffe:///a", "its trust domain is empty");
  refuses("spiffe://Aurae.local/a", "its trust domain has a character other than a-z 0-9 . - _");
  refuses(
    "spiffe://aurae.local:443/a",
    "its trust domain has a character other than a-z 0-9 . - _",
  );
  refuses("spiffe://prod.example/a", "its trust domain is not aurae.local");
  refuses("spiffe://aurae.local.evil/a", "its trust domain is not aurae.local");
  refuses("spiffe://aurae.local", "its path is empty");
  refuses("spiffe://aurae.local/", "its path is empty");
  refuses("spiffe://aurae.local/a/", "its path has an empty segment");
  refuses("spiffe://aurae.local//a", "its path has an empty segment");
  refuses("spiffe://aurae.local/a/../b", "its path has the segment ..");
  refuses("spiffe://aurae.local/a/./b", "its path has the segment .");
  refuses("spiffe://aurae.local/%61", "its path has a character other than A-Z a-z 0-9 . - _");
  refuses("spiffe://aurae.local/a\0", "its path has a character other than A-Z a-z 0-9 . - _");
});

test("parseSpiffeId() heeds the trust domain it is given", () => {
  const id = "spiffe://prod.example/a";

  assert.equal(parseSpiffeId(id, parseTrustDomain("prod.example")), id);
});

test("parseTrustDomain() refuses upper case, ports, paths and what is too long", () => {
  for (const text of ["", "Aurae.local", "a:1", "a/b", "a b", "ä", "a\n", "a".repeat(256)]) {
    assert.throws(() => parseTrustDomain(text), PkiError);
  }
  assert.equal(parseTrustDomain("a".repeat(255)).length, 255);
});
