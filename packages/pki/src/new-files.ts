import { randomBytes } from "node:crypto";
import { link, lstat, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { describeSystemError, hasCode, PkiError } from "./pki-error.ts";

/** A file that does not exist yet. */
export interface NewFile {
  readonly name: string;
  /** Given exactly, whatever the umask. */
  readonly mode: number;
  readonly content: string;
}

/**
 * Write all these files into a directory, or none. A file that exists is never touched, and a
 * symbolic link never followed: each is written beside under a temporary name (O_EXCL), then given
 * its own by link(2), which fails with EEXIST where rename(2) would overwrite.
 *
 * Killed between two links, it leaves some of them; the next call then refuses and names them.
 *
 * @throws {PkiError} when a file exists or cannot be written. Then all is undone, and what cannot
 * be removed again is named.
 */
export async function writeNewFiles(directory: string, files: readonly NewFile[]): Promise<void> {
  await refuseExisting(directory, files);
  const suffix = randomBytes(8).toString("hex");
  const paths = files.map((file) => ({
    file,
    path: join(directory, file.name),
    temporary: join(directory, `.${file.name}.${suffix}`),
  }));
  const made: string[] = [];
  try {
    for (const { file, temporary } of paths) await write(temporary, file, made);
    for (const { temporary, path } of paths) await place(temporary, path, made);
    for (const { temporary } of paths) await unlink(temporary);
    await sync(directory);
  } catch (cause) {
    throw await undo(cause, made, unlink);
  }
}

/**
 * Remove what was made, the last first, and give the error to throw: the cause itself, or one that
 * also names what could not be removed.
 */
export async function undo(
  cause: unknown,
  made: readonly string[],
  remove: (path: string) => Promise<void>,
): Promise<unknown> {
  const left: string[] = [];
  for (const path of made.toReversed()) {
    try {
      await remove(path);
    } catch (second) {
      if (!hasCode(second, "ENOENT")) left.push(path);
    }
  }
  if (left.length === 0) return cause;
  return new PkiError(`${describeSystemError(cause)}, and ${left.join(", ")} cannot be removed`, {
    cause,
  });
}

async function refuseExisting(directory: string, files: readonly NewFile[]): Promise<void> {
  for (const { name } of files) {
    const path = join(directory, name);
    try {
      await lstat(path);
    } catch (cause) {
      if (hasCode(cause, "ENOENT")) continue;
      throw refusal(path, cause);
    }
    throw new PkiError(`Cannot write ${path}: it exists already`);
  }
}

/** Add the path to `made` as soon as it is there, so that half a file is undone too. */
async function write(path: string, file: NewFile, made: string[]): Promise<void> {
  try {
    await using handle = await open(path, "wx", 0o600);
    made.push(path);
    await handle.writeFile(file.content);
    await handle.chmod(file.mode);
    await handle.sync();
  } catch (cause) {
    throw refusal(path, cause);
  }
}

async function place(temporary: string, path: string, made: string[]): Promise<void> {
  try {
    await link(temporary, path);
    made.push(path);
  } catch (cause) {
    throw refusal(path, cause);
  }
}

/** Names survive a power cut only once their directory is on the disk: fsync(2). */
async function sync(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}

function refusal(path: string, cause: unknown): PkiError {
  return new PkiError(`Cannot write ${path}: ${describeSystemError(cause)}`, { cause });
}
