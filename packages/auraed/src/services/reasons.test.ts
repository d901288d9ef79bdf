import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { failureReasons } from "@aurae/domain/errors";
import { edgeReasons } from "./status.ts";

const list = new URL("../../../../docs/reasons.md", import.meta.url);

test("docs/reasons.md lists every reason once, and no other", () => {
  const text = readFileSync(list, "utf8");

  const listed = [...text.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, reason]) => reason);

  assert.deepEqual(new Set(listed), new Set([...failureReasons, ...edgeReasons]));
  assert.equal(listed.length, failureReasons.length + edgeReasons.length);
});

test("every reason is at most 63 characters of UPPER_SNAKE_CASE (AIP-193)", () => {
  for (const reason of [...failureReasons, ...edgeReasons])
    assert.match(reason, /^[A-Z][A-Z0-9_]{0,61}[A-Z0-9]$/);
});
