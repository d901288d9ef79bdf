import { cutText, utf8Length } from "../utf8.ts";
import type { ExecutableSpec } from "./executable-spec.ts";

/**
 * What is remembered of an executable, for those who list: never its environment, and of its texts so
 * much that a thousand of them take a few megabytes.
 */
export interface ShownExecutable extends Omit<ExecutableSpec, "env"> {
  /** Whether a text was cut, or arguments left out. */
  readonly isCut: boolean;
}

/** Of command, arguments, working directory and description together. */
const maxShownBytes = 4096;

/** What an argument takes beside its text, so that many empty ones have a bound too. */
const bytesPerArgument = 8;

/** What to remember of an executable; it holds on to nothing of the spec. */
export function toShown(spec: ExecutableSpec): ShownExecutable {
  let left = maxShownBytes;
  let isCut = false;
  function take(text: string): string {
    const shown = cutText(text, left);
    left -= utf8Length(shown);
    if (shown.length < text.length) isCut = true;
    return shown;
  }
  const { name, uid, gid, noShell } = spec;
  const description = take(spec.description);
  const command = take(spec.command);
  const workingDirectory = take(spec.workingDirectory);
  const args: string[] = [];
  for (const arg of spec.args) {
    left -= bytesPerArgument;
    if (left <= 0) {
      isCut = true;
      break;
    }
    args.push(take(arg));
  }
  return { name, command, description, args, workingDirectory, uid, gid, noShell, isCut };
}

/** What is remembered of a run that is not the latest of its executable any more: the name. */
export function toNameOnly({ name }: ShownExecutable): ShownExecutable {
  const nothing = { command: "", description: "", args: [], workingDirectory: "" };
  return { name, ...nothing, uid: 0, gid: 0, noShell: false, isCut: true };
}
