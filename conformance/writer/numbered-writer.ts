import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";

/** How a numbered writer writes, and how it ends. */
export interface Writing {
  /** On each channel; absent: until SIGTERM. */
  readonly lines?: number;
  /** Microseconds from a line to the next; absent: flat out. */
  readonly paceUs?: number;
  /** An exit code, or a signal as a negative number; absent: 0. */
  readonly end?: number;
  /** It ignores SIGTERM. */
  readonly isDeaf?: boolean;
}

/** The program and its arguments, as Start takes them; compiled when that has not been done yet. */
export function numberedWriter(writing: Writing): {
  readonly command: string;
  readonly args: readonly string[];
} {
  const { lines = 0, paceUs = 0, end = 0, isDeaf = false } = writing;
  const args = [lines, paceUs, end].map(String);
  return { command: program(), args: isDeaf ? [...args, "deaf"] : args };
}

/** Make is asked only when it has something to do: it costs more than a Start. */
function program(): string {
  const { dirname } = import.meta;
  const path = `${dirname}/build/numbered-writer`;
  const built = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (built < statSync(`${dirname}/numbered-writer.c`).mtimeMs)
    execFileSync("make", ["-s", "-C", dirname, "build/numbered-writer"], { stdio: "pipe" });
  return path;
}
