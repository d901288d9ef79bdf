import type { Stats } from "node:fs";

/**
 * Why a file or directory must not decide what the daemon does; undefined when only root and the
 * daemon's own user can change it. The sentence begins with "it" and "others".
 */
export function whyNotTrusted({ uid, mode }: Pick<Stats, "uid" | "mode">): string | undefined {
  if (uid !== 0 && uid !== process.geteuid?.()) return `it belongs to another user (${uid})`;
  return (mode & 0o022) === 0 ? undefined : `others may write to it, its mode is ${octal(mode)}`;
}

/** A mode as chmod(1) takes it. */
export function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}
