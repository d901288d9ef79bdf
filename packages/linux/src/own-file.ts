import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  type Stats,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { errnoOf } from "./errno.ts";

/*
 * What lies in our directories is ours, or is not touched: no link is followed, no pipe waited for
 * (fault 67). Who wrote it is told by the kernel, not by its name.
 */

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** Read a file that we or a supervisor wrote, bounded. @throws Error that names it, when it is another's */
export function readOwnFile(path: string, maxBytes: number): Buffer {
  const descriptor = openOwnFileSync(path);
  try {
    const { size } = fstatSync(descriptor);
    if (size > maxBytes) throw new Error(`${path} has ${size} bytes, more than ${maxBytes}`);
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The same at once. One that is made is ours alone; the descriptor is the caller's to close. */
export function openOwnFileSync(path: string, flags: number = O_RDONLY): number {
  const descriptor = openFile(path, flags);
  try {
    requireOwnFile(path, fstatSync(descriptor));
    return descriptor;
  } catch (cause) {
    closeSync(descriptor);
    throw cause;
  }
}

/** O_NOFOLLOW refuses a link with ELOOP (open(2)). */
function openFile(path: string, flags: number): number {
  try {
    return openSync(path, flags | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (cause) {
    if (errnoOf(cause) === "ELOOP") throw notOurs(path, "file", "it is a symbolic link");
    throw cause;
  }
}

/** Open a file that may not be there yet, with `flags` of open(2). @throws Error that names it, when it is another's */
export async function openOwnFile(path: string, flags: number): Promise<FileHandle> {
  // Looked at before, too: to open a pipe for writing fails with ENXIO, which says nothing.
  hasOwnFile(path);
  const file = await open(path, flags | O_NOFOLLOW | O_NONBLOCK, 0o600);
  try {
    requireOwnFile(path, await file.stat());
    return file;
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

/** @throws Error that names it, when it is no directory of ours; ENOENT when it is not there */
export function requireOwnDirectory(path: string): void {
  const status = lstatSync(path);
  if (!status.isDirectory()) throw notOurs(path, "directory", kindOf(status));
  requireOurs(path, "directory", status);
}

/** Whether a file of ours is there; what is there and is not ours is an error that names it. */
export function hasOwnFile(path: string): boolean {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return false;
  requireOwnFile(path, status);
  return true;
}

/** @throws Error that names it, when it is no socket of ours; ENOENT when it is not there */
export function requireOwnSocket(path: string): void {
  const status = lstatSync(path);
  if (!status.isSocket()) throw notOurs(path, "socket", kindOf(status));
  requireOurs(path, "socket", status);
}

function requireOwnFile(path: string, status: Stats): void {
  if (!status.isFile()) throw notOurs(path, "file", kindOf(status));
  // One that was removed since it was opened has none, and nobody can give it one.
  if (status.nlink > 1) throw notOurs(path, "file", `it has ${status.nlink} names`);
  requireOurs(path, "file", status);
}

function requireOurs(path: string, what: string, { uid, mode }: Stats): void {
  if (uid !== process.geteuid?.()) throw notOurs(path, what, `it belongs to user ${uid}`);
  if ((mode & 0o022) !== 0) {
    const octal = (mode & 0o7777).toString(8).padStart(4, "0");
    throw notOurs(path, what, `others may write to it, its mode is ${octal}`);
  }
}

function kindOf(status: Stats): string {
  if (status.isSymbolicLink()) return "it is a symbolic link";
  if (status.isFIFO()) return "it is a named pipe";
  if (status.isDirectory()) return "it is a directory";
  if (status.isSocket()) return "it is a socket";
  return status.isFile() ? "it is a file" : "it is a device";
}

function notOurs(path: string, what: string, why: string): Error {
  return new Error(`${path} is no ${what} of ours: ${why}; find out who made it, then remove it`);
}
