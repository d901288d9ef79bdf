import assert from "node:assert/strict";
import { test } from "node:test";
import { firstFailure, toHostFailure, toWatchFailure } from "./host-failure.ts";

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

for (const [code, limit] of [
  ["ENOSPC", /fs\.inotify\.max_user_watches/],
  ["EMFILE", /fs\.inotify\.max_user_instances/],
] as const) {
  test(`${code} tells which limit of inotify is reached, when a file was to be watched`, () => {
    const cause = Object.assign(new Error("no"), { code });

    const failure = toWatchFailure("Cannot follow a log", cause);

    assert.deepEqual([failure.kind, failure.reason], ["exhausted", "NODE_LIMIT_REACHED"]);
    assert.match(failure.message, limit);
    assert.doesNotMatch(toHostFailure("Cannot write", cause).message, limit);
  });
}
