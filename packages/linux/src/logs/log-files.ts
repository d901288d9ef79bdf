import { constants } from "node:fs";
import { type FileHandle, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { LogKey } from "@aurae/domain/observe";
import { errnoOf } from "../errno.ts";
import { toHostFailure } from "../host-failure.ts";
import { openOwnFile, requireOwnDirectory } from "../own-file.ts";
import { segmentPath, segmentsOf } from "./segments.ts";

/** The files of one run's log. */
export class LogFiles {
  /** The directory of the executable, where they and those of its other runs are. */
  readonly directory: string;
  readonly #cellDirectory: string;
  readonly #key: LogKey;

  constructor(cellDirectory: string, key: LogKey) {
    this.directory = join(cellDirectory, key.executable);
    this.#cellDirectory = cellDirectory;
    this.#key = key;
  }

  /**
   * The numbers of the segments that are kept, in order; none when the log is not there.
   * @throws Failure `host` when what is there is none of ours
   */
  async segments(): Promise<readonly number[]> {
    try {
      requireOwnDirectory(this.directory);
      return segmentsOf(await readdir(this.directory), this.#key.run);
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT") return [];
      throw toHostFailure("Cannot read a log", cause);
    }
  }

  /** Undefined when it is not there: not yet, or not any more. */
  async open(segment: number): Promise<FileHandle | undefined> {
    try {
      const path = segmentPath(this.#cellDirectory, this.#key, segment);
      return await openOwnFile(path, constants.O_RDONLY);
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT") return undefined;
      throw toHostFailure("Cannot read a log", cause);
    }
  }

  /** Whether a file in the directory is one of these. */
  isOurs(name: string | null): boolean {
    return name === null || name.startsWith(`${this.#key.run}.log`);
  }
}
