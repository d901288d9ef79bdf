import { closeSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** O_CLOEXEC in the octal flags of /proc/PID/fdinfo: proc_pid_fdinfo(5). */
const closeOnExec = 0o2000000;

/**
 * Close what the starter of the daemon left open, 0 to 2 aside. Called first: later it would be
 * handed on, since libuv marks inherited descriptors only up to the first gap (finding 4).
 *
 * Node opens all of its own with O_CLOEXEC. One without it was inherited; so was one with it that is
 * a file, a directory or a socket, for Node has none open yet. Of pipes that libuv has marked it
 * cannot be told, and they are not handed on.
 *
 * @returns how many were closed
 */
export function closeInheritedDescriptors(): number {
  const inherited = readdirSync("/proc/self/fd")
    .map(Number)
    .filter((descriptor) => descriptor > 2 && isInherited(descriptor));
  for (const descriptor of inherited) closeSync(descriptor);
  return inherited.length;
}

function isInherited(descriptor: number): boolean {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1");
    const flags = Number.parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? "", 8);
    if (Number.isNaN(flags)) return false;
    if ((flags & closeOnExec) === 0) return true;
    const target = readlinkSync(`/proc/self/fd/${descriptor}`);
    // A debugger listens on a socket of Node's.
    if (target.startsWith("socket:")) return !isDebugged();
    return target.startsWith("/") && !target.startsWith("/dev/");
  } catch {
    // It was that of the directory we have just read.
    return false;
  }
}

function isDebugged(): boolean {
  return process.execArgv.some((option) => option.startsWith("--inspect"));
}
