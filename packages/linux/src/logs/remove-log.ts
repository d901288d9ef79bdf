import { readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { LogKey } from "@aurae/domain/observe";
import { errnoOf } from "../errno.ts";
import { requireOwnDirectory } from "../own-file.ts";
import { segmentPath, segmentsOf } from "./segments.ts";

/** Remove the log of a run. @param cellDirectory where the logs of its cell are */
export function removeLog(cellDirectory: string, key: LogKey): void {
  if (!isOurs(join(cellDirectory, key.executable))) return;
  // Nearly every log is one file, and listing those of all runs each time would be dear.
  if (remove(segmentPath(cellDirectory, key, 0))) {
    for (let segment = 1; remove(segmentPath(cellDirectory, key, segment)); segment++);
    return;
  }
  const directory = join(cellDirectory, key.executable);
  for (const segment of segmentsOf(namesIn(directory), key.run)) {
    remove(segmentPath(cellDirectory, key, segment));
  }
}

/** Remove the directory of an executable if no log is left in it. Its supervisor must not be at it. */
export function removeLogDirectory(cellDirectory: string, { executable }: LogKey): void {
  try {
    rmdirSync(join(cellDirectory, executable));
  } catch (cause) {
    if (!["ENOENT", "ENOTEMPTY"].includes(errnoOf(cause) ?? "")) throw cause;
  }
}

/** False when it is not there. @throws Error that names it, when it is another's */
function isOurs(directory: string): boolean {
  try {
    requireOwnDirectory(directory);
    return true;
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return false;
    throw cause;
  }
}

/** Whether it was there. */
function remove(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return false;
    throw cause;
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw cause;
  }
}
