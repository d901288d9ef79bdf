import { accessSync, constants, lstatSync, mkdirSync } from "node:fs";
import { inWords } from "./in-words.ts";
import { Refusal } from "./refusal.ts";
import { octal } from "./trusted-file.ts";

/**
 * Make a directory of the daemon, or check the one that is there: whoever may write in it could
 * put links and sockets in the daemon's way (fault 67).
 *
 * @throws Refusal when it cannot be made, or is not safe
 */
export function prepareDirectory(path: string, what: string, mode: number): void {
  try {
    mkdirSync(path, { recursive: true, mode });
  } catch (cause) {
    throw new Refusal(`Cannot make the ${what} ${path}: ${inWords(cause)}`, { cause });
  }
  const status = lstatSync(path);
  const cannot = `Cannot use the ${what} ${path}`;
  if (status.isSymbolicLink()) throw new Refusal(`${cannot}: it is a symbolic link`);
  if (!status.isDirectory()) throw new Refusal(`${cannot}: it is not a directory`);
  if (status.uid !== process.geteuid?.())
    throw new Refusal(`${cannot}: it belongs to another user`);
  if ((status.mode & 0o022) !== 0) {
    throw new Refusal(`${cannot}: others may write in it, its mode is ${octal(status.mode)}`);
  }
  try {
    // Of root it is asked only whether the disk is read-only; nothing is kept in memory alone (fault 26).
    accessSync(path, constants.W_OK);
  } catch (cause) {
    throw new Refusal(`${cannot}: ${inWords(cause)}`, { cause });
  }
}
