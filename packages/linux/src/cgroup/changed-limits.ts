import { join } from "node:path";
import { errnoOf, inWords } from "../errno.ts";
import type { CgroupFiles } from "./cgroup-files.ts";
import { holds, type LimitWrite } from "./limit-write.ts";

/** A limit that was written, and the directory of the cell that it was written in. */
export interface PlacedLimit {
  readonly write: LimitWrite;
  readonly directory: string;
}

/**
 * What does not hold any more of the limits of a cell, a sentence each: somebody wrote another.
 * Undefined when a directory is not there any more.
 */
export function findChangedLimits(
  files: CgroupFiles,
  directories: readonly string[],
  limits: readonly PlacedLimit[],
): readonly string[] | undefined {
  if (!directories.every((directory) => files.exists(directory))) return undefined;
  return limits.flatMap(({ write, directory }) => {
    const { file, value, readFile = file } = write;
    const actual = tryToRead(files, join(directory, readFile));
    return holds(write, actual) ? [] : [`${readFile} is ${actual}, not ${value}`];
  });
}

/** What the file says; why it cannot be read holds for no limit either. */
function tryToRead(files: CgroupFiles, path: string): string {
  try {
    return files.read(path).trim();
  } catch (cause) {
    return errnoOf(cause) === "ENOENT" ? "gone" : inWords(cause);
  }
}
