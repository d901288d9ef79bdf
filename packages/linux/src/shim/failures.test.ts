import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { toFailure } from "./failures.ts";

const { errno } = constants;
/** Not in os.constants: Linux alone has it. */
const edquot = 122;

for (const [step, number, kind, reason] of [
  ["exec", errno.ENOENT, "wrong-state", "COMMAND_NOT_FOUND"],
  ["exec", errno.ENOTDIR, "wrong-state", "COMMAND_NOT_FOUND"],
  ["exec", errno.EACCES, "wrong-state", "COMMAND_NOT_EXECUTABLE"],
  ["exec", errno.ENOEXEC, "wrong-state", "COMMAND_NOT_EXECUTABLE"],
  ["exec", errno.ETXTBSY, "wrong-state", "COMMAND_NOT_EXECUTABLE"],
  ["exec", errno.ELOOP, "wrong-state", "COMMAND_NOT_EXECUTABLE"],
  ["exec", errno.EPERM, "wrong-state", "COMMAND_NOT_EXECUTABLE"],
  ["exec", errno.E2BIG, "invalid", "ARGUMENTS_TOO_LONG"],
  ["exec", errno.ENOMEM, "exhausted", "NODE_LIMIT_REACHED"],
  ["chdir", errno.ENOENT, "wrong-state", "WORKDIR_UNUSABLE"],
  ["chdir", errno.EACCES, "wrong-state", "WORKDIR_UNUSABLE"],
  ["identity", errno.EINVAL, "invalid", "FIELD_INVALID"],
  ["clone", errno.EAGAIN, "exhausted", "CELL_LIMIT_REACHED"],
  ["pipe", errno.EMFILE, "exhausted", "NODE_LIMIT_REACHED"],
  ["log", errno.ENOSPC, "exhausted", "NODE_LIMIT_REACHED"],
  ["log", edquot, "exhausted", "NODE_LIMIT_REACHED"],
  ["unshare", errno.ENOSPC, "exhausted", "NODE_LIMIT_REACHED"],
  ["slots", errno.EAGAIN, "exhausted", "CELL_LIMIT_REACHED"],
  ["ended", errno.ENOENT, "wrong-state", "CELL_STATE"],
  ["enter", errno.ESRCH, "wrong-state", "CELL_FAILED"],
  ["parent", errno.ESRCH, "wrong-state", "CELL_FAILED"],
  ["cgroup", errno.ENOENT, "wrong-state", "CELL_FAILED"],
  ["launch", errno.ENOENT, "wrong-state", "SHIM_UNUSABLE"],
  ["mount", errno.EINVAL, "host", "HOST_FAILED"],
] as const) {
  test(`toFailure() of step ${step} with errno ${number} is ${reason} (fault 42)`, () => {
    const failure = toFailure("Cannot do it", { step, errno: number });

    assert.deepEqual([failure.kind, failure.reason], [kind, reason]);
    assert.match(failure.message, /^Cannot do it: .*\((E[A-Z0-9]+)\)$/);
    assert.equal(failure.metadata["step"], step);
  });
}
