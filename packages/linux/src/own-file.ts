import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";

/**
 * Read a file that we or a supervisor wrote, bounded. A link, a pipe or a file of somebody else in
 * its place is refused (fault 67).
 */
export function readOwnFile(path: string, maxBytes: number): Buffer {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const descriptor = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const { size, uid, nlink } = fstatSync(descriptor);
    if (!fstatSync(descriptor).isFile() || nlink !== 1 || uid !== process.geteuid?.()) {
      throw new Error(`${path} is not a file of ours`);
    }
    if (size > maxBytes) throw new Error(`${path} has ${size} bytes, more than ${maxBytes}`);
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
