import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { leafOf, parentOf, parseCellName } from "./cell-name.ts";

const refused = [
  ...[
    "",
    ".",
    "..",
    "../..",
    "/",
    "a//b",
    "a/../b",
    "/a",
    "a/",
    "a\0",
    "a\n",
    "a b",
    "-rf",
    "a-",
    "a/-b",
  ],
  ...[
    "%2e%2e",
    "_",
    "_init",
    "a_b",
    "é",
    "e\u0301",
    "\u202Ea",
    "a.b",
    "cgroup.procs",
    "x".repeat(64),
  ],
  ...["a/b/c/d/e/f/g/h/i", `${`${"x".repeat(63)}/`.repeat(4)}y`, "x".repeat(4096)],
];

for (const text of refused) {
  test(`parseCellName() refuses ${JSON.stringify(text.slice(0, 40))} (fault 71)`, () => {
    assert.equal(typeof parseCellName(text), "object");
  });
}

for (const text of [
  "a",
  "A",
  "tasks",
  "a-b",
  "0",
  "team/web/1",
  "x".repeat(63),
  "a/b/c/d/e/f/g/h",
]) {
  test(`parseCellName() takes ${text.slice(0, 40)} (fault 72)`, () => {
    assert.equal(parseCellName(text), text);
  });
}

test("parseCellName() returns its text unchanged or refuses it (fault 73)", () => {
  const part = fc.constantFrom(
    "..",
    "/",
    "",
    "\0",
    "\n",
    "-rf",
    "a",
    "b-1",
    "B",
    "é",
    "_",
    "tasks",
  );
  const text = fc.array(part).map((parts) => parts.join("/"));

  fc.assert(
    fc.property(fc.oneof(text, fc.string({ unit: "binary" })), (given) => {
      const parsed = parseCellName(given);
      return parsed === given || typeof parsed === "object";
    }),
  );
});

test("parentOf() and leafOf() take a name apart", () => {
  const name = parseCellName("a/b/c");
  assert.ok(typeof name === "string");

  assert.deepEqual([parentOf(name), leafOf(name)], ["a/b", "c"]);
});
