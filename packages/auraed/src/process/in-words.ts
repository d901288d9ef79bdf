import { getSystemErrorMessage } from "node:util";

/** What the operating system refused, such as "permission denied (EACCES)"; else the error's own words. */
export function inWords(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const errno = "errno" in cause ? cause.errno : undefined;
  if (typeof errno !== "number") return cause.message;
  return `${getSystemErrorMessage(errno)} (${errnoOf(cause)})`;
}

/** The code of what the operating system refused, such as "EACCES". */
export function errnoOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !("code" in cause)) return undefined;
  return typeof cause.code === "string" ? cause.code : undefined;
}
