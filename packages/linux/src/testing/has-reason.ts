import assert from "node:assert/strict";
import { Failure } from "@aurae/domain/errors";

/** For assert.rejects: a failure of the domain, with its reason. */
export function hasReason(reason: string): (cause: unknown) => boolean {
  return (cause) => {
    assert.ok(cause instanceof Failure, String(cause));
    assert.equal(cause.reason, reason, cause.message);
    return true;
  };
}
