import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What the descriptors of a process are, sorted: files by path, the rest by kind, for its numbers never come again. */
export function descriptorsOf(pid: number | "self"): readonly string[] {
  const sockets = socketsOf(pid);
  return (
    readdirSync(`/proc/${pid}/fd`)
      .flatMap((descriptor) => targetOf(pid, descriptor))
      // What libuv keeps for when none is left is /dev/null at first, and / when it was needed once.
      .map((target) => (target === "/" ? "/dev/null" : target))
      .map((target) => sockets.get(target) ?? target.replace(/^(pipe|socket|\w+):\[\d+\]/, "$1"))
      .toSorted()
  );
}

/** The Unix sockets that are bound to a path below a directory. */
export function socketsBelow(directory: string): readonly string[] {
  return [...socketsOf("self").values()]
    .filter((socket) => socket.startsWith(`unix ${directory}/`))
    .toSorted();
}

/** By the name that /proc gives a descriptor: which kind a socket is, and where it is bound. */
function socketsOf(pid: number | "self"): ReadonlyMap<string, string> {
  const named = new Map<string, string>();
  for (const [, , , , , , inode, path] of table(pid, "unix"))
    named.set(`socket:[${inode}]`, path === undefined ? "unix" : `unix ${withoutPid(path)}`);
  for (const kind of ["tcp", "tcp6", "udp", "udp6"])
    for (const [, local, , , , , , , , inode] of table(pid, kind))
      named.set(`socket:[${inode}]`, `${kind} ${local}`);
  return named;
}

/** The daemon binds its socket under a name with its pid in it, and renames that. */
function withoutPid(path: string): string {
  return path.replace(/\/\.\d+\.sock$/, "/aurae.sock");
}

function table(pid: number | "self", kind: string): readonly (readonly string[])[] {
  const lines = readFileSync(`/proc/${pid}/net/${kind}`, "utf8").trim().split("\n").slice(1);
  return lines.map((line) => line.trim().split(/\s+/));
}

/** The descriptor that lists the others is gone by now. */
function targetOf(pid: number | "self", descriptor: string): readonly string[] {
  try {
    return [readlinkSync(`/proc/${pid}/fd/${descriptor}`)];
  } catch {
    return [];
  }
}
