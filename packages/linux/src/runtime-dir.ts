import { Failure } from "@aurae/domain/errors";

/** `sun_path` has 108 bytes, the last of them NUL (unix(7)). */
const maxSocketPath = 107;
const longestSocketName = "/cells/0123456789abcdef/s.sock".length;

/** @throws Failure `wrong-state` when the path of a runtime directory leaves no room for those of sockets */
export function requireShort(runtimeDir: string): void {
  const longest = maxSocketPath - longestSocketName;
  const bytes = Buffer.byteLength(runtimeDir);
  if (bytes <= longest) return;
  const message = `Cannot use the runtime directory ${runtimeDir}: its path has ${bytes} bytes, and for the sockets in it ${longest} are the most`;
  throw new Failure("wrong-state", "HOST_FAILED", message);
}
