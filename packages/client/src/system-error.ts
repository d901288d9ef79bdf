import { getSystemErrorMap } from "node:util";

/** An error of the operating system, as Node throws it. */
export interface SystemError extends Error {
  readonly errno: number;
  readonly code: string;
}

export function isSystemError(cause: unknown): cause is SystemError {
  return cause instanceof Error && "errno" in cause && typeof cause.errno === "number";
}

/** What the operating system refused, in words: "no such file or directory". */
export function describeSystemError(cause: unknown): string {
  if (!isSystemError(cause)) return String(cause);
  // getSystemErrorMessage() would do, and is not in Node 20.
  return getSystemErrorMap().get(cause.errno)?.[1] ?? cause.message;
}
