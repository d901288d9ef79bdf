import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure, type FailureKind } from "@aurae/domain/errors";
import { toStatus } from "./status.ts";

/** Numbers of the wire: they are what clients know. */
const codes: Readonly<Record<FailureKind, number>> = {
  ...{ cancelled: 1, invalid: 3, "too-slow": 4, "not-found": 5, exists: 6 },
  ...{ exhausted: 8, "wrong-state": 9, host: 13, unavailable: 14 },
};

test("toStatus() names the field of what only the host could refuse", () => {
  const long = new Failure("invalid", "ARGUMENTS_TOO_LONG", "Cannot start: too long");
  const unmapped = new Failure("invalid", "FIELD_INVALID", "Cannot start: not mapped", {
    metadata: { step: "identity" },
  });

  const fields = [long, unmapped].map((failure) => toStatus(failure).violations[0]?.field);

  assert.deepEqual(fields, ["executable.args", "executable.uid"]);
});

for (const [kind, code] of Object.entries(codes)) {
  test(`toStatus() gives a failure of kind ${kind} the code ${code}`, () => {
    const failure = new Failure(kind as FailureKind, "HOST_FAILED", "Cannot go on", {
      metadata: { cell: "web" },
    });

    const { code: given, reason, message, metadata } = toStatus(failure);

    assert.deepEqual([given, reason, message], [code, "HOST_FAILED", "Cannot go on"]);
    assert.deepEqual(metadata, { cell: "web" });
  });
}
