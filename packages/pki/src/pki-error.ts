import { getSystemErrorMessage } from "node:util";

/**
 * What certificates could not be made, read or written for.
 *
 * The message is one line, "Cannot <action> <thing>: <what is the case>", made to be shown to a
 * user as it is. It never holds key material.
 */
export class PkiError extends Error {
  override readonly name = "PkiError";
}

/** Text from outside, made safe for one line of a message: quoted, escaped and at most 80 characters of it. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** Say in words what the operating system refused, such as "permission denied (EACCES)". */
export function describeSystemError(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const { errno, code } = readSystemError(cause);
  return errno === undefined ? cause.message : `${getSystemErrorMessage(errno)} (${code})`;
}

/** Whether the operating system refused with this code, such as "ENOENT". */
export function hasCode(cause: unknown, code: string): boolean {
  return cause instanceof Error && readSystemError(cause).code === code;
}

function readSystemError(cause: Error & { readonly errno?: unknown; readonly code?: unknown }): {
  readonly errno: number | undefined;
  readonly code: string | undefined;
} {
  return {
    errno: typeof cause.errno === "number" ? cause.errno : undefined,
    code: typeof cause.code === "string" ? cause.code : undefined,
  };
}
