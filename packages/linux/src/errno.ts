import { getSystemErrorMap } from "node:util";

/** The code of what node:fs and its kin throw ("ENOENT"); undefined for any other error. */
export function errnoOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !("code" in cause)) return undefined;
  return typeof cause.code === "string" ? cause.code : undefined;
}

/** An error of the system in the words of its manual: "no such file or directory (ENOENT)". */
export function inWords(cause: unknown): string {
  const errno = cause instanceof Error && "errno" in cause ? cause.errno : cause;
  if (typeof errno === "number") return errnoInWords(Math.abs(errno));
  return cause instanceof Error ? cause.message : String(cause);
}

/** The same for a number that C would have in errno. */
export function errnoInWords(errno: number): string {
  const [name, words] = getSystemErrorMap().get(-errno) ?? others.get(errno) ?? [];
  return name === undefined || words === undefined ? `errno ${errno}` : `${words} (${name})`;
}

/** The name of a number that C would have in errno: "ENOENT". */
export function errnoName(errno: number): string {
  return (getSystemErrorMap().get(-errno) ?? others.get(errno))?.[0] ?? `errno ${errno}`;
}

/** What libuv has no name for, and exec, clone3 or a cgroup may answer. */
const others: ReadonlyMap<number, readonly [string, string]> = new Map([
  [8, ["ENOEXEC", "exec format error"]],
  [80, ["ELIBBAD", "accessing a corrupted shared library"]],
  [87, ["EUSERS", "too many users"]],
  [122, ["EDQUOT", "disk quota exceeded"]],
]);
