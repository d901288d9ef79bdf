import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/**
 * How often a process makes each system call while something is done: the most that one of its threads made,
 * for strace(1) counts `when=` in each thread for itself.
 */
export async function countCalls(
  pid: number,
  syscalls: readonly string[],
  during: () => Promise<unknown>,
): Promise<ReadonlyMap<string, number>> {
  const args = ["-f", "-e", "signal=none", "-e", `trace=${syscalls.join()}`, "-p", `${pid}`];
  const strace = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(strace, "exit");
  const byThread = new Map<string, number>();
  const lines = createInterface({ input: strace.stderr });
  const attached = once(lines, "line");
  lines.on("line", (line) => {
    const [, thread = "", syscall] = /^(?:\[pid +(\d+)\] )?(\w+)\(/.exec(line) ?? [];
    if (syscall === undefined) return;
    const key = `${syscall} ${thread}`;
    byThread.set(key, (byThread.get(key) ?? 0) + 1);
  });
  try {
    await attached;
    await during();
  } finally {
    strace.kill("SIGTERM");
    await ended;
  }
  const most = new Map<string, number>();
  for (const [key, count] of byThread) {
    const [syscall = ""] = key.split(" ");
    most.set(syscall, Math.max(count, most.get(syscall) ?? 0));
  }
  return most;
}
