import assert from "node:assert/strict";
import { test } from "node:test";
import { firstFailure } from "./host-failure.ts";

test("firstFailure() is what went wrong first, and warns of all that failed while it was undone", () => {
  const [first, one, two, three] = ["first", "one", "two", "three"].map((text) => new Error(text));
  const inTheStack = new SuppressedError(two, one);
  const warnings: string[] = [];

  const found = firstFailure(
    new SuppressedError(three, new SuppressedError(inTheStack, first)),
    'the allocation of cell "web"',
    (message) => warnings.push(message),
  );

  assert.equal(found, first);
  const what = 'Cannot undo the allocation of cell "web"';
  assert.deepEqual(warnings, [`${what}: one`, `${what}: two`, `${what}: three`]);
});
