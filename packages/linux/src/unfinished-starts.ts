import { constants } from "node:os";
import type { CellDirectory } from "./cell-directory.ts";
import { isRefused } from "./enclosure-failure.ts";
import { inWords } from "./errno.ts";
import type { Found } from "./shim/supervisor.ts";

/**
 * What a daemon that died in the middle of a start left: a spec without a record. Nobody was told that
 * it runs, so it must not come to run: its number will be given again.
 */
export async function dropUnfinishedStarts(
  directory: CellDirectory,
  answer: Found,
  warn: (message: string) => void,
): Promise<void> {
  // Who is silent may be about to write the record; and nothing can be started there.
  if (answer.kind === "silent") return;
  const told = answer.kind === "answers" ? answer.state.runs : [];
  const open = new Set(told.map(({ record }) => record.run));
  for (const run of readUnrecorded(directory)) {
    if (open.has(run)) continue;
    try {
      if (answer.kind === "answers" && (await endIfOnItsWay(answer, run))) continue;
      directory.removeSpec(run);
    } catch (cause) {
      warn(`Cannot undo the start of run ${run} in ${directory.path}: ${inWords(cause)}`);
    }
  }
}

/** Without records that can be believed, none is missing: `readRuns` says so. */
function readUnrecorded(directory: CellDirectory): readonly number[] {
  try {
    return directory.unrecordedRuns();
  } catch {
    return [];
  }
}

/** Whether it was on its way: it has run then, and has a record. */
async function endIfOnItsWay(
  { supervisor }: Found & { readonly kind: "answers" },
  run: number,
): Promise<boolean> {
  try {
    await supervisor.stop(run, constants.signals.SIGKILL, 0);
    return true;
  } catch (cause) {
    if (isRefused(cause, "run")) return false;
    throw cause;
  }
}
