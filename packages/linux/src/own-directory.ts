import { mkdirSync } from "node:fs";
import { Failure } from "@aurae/domain/errors";
import { errnoOf, inWords } from "./errno.ts";
import { toHostFailure } from "./host-failure.ts";
import { requireOwnDirectory } from "./own-file.ts";

/**
 * Make a directory that is ours alone; one that is there is looked at.
 *
 * @throws Failure `wrong-state` when something else is in its place
 */
export function makeOwnDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (cause) {
    if (errnoOf(cause) !== "EEXIST") throw toHostFailure(`Cannot make ${path}`, cause);
  }
  try {
    requireOwnDirectory(path);
  } catch (cause) {
    throw new Failure("wrong-state", "HOST_FAILED", `Cannot use ${inWords(cause)}`, { cause });
  }
}
