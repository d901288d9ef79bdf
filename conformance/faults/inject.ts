import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/**
 * While something is done, have system calls of a process fail: `rename:error=EIO` of strace(1). The
 * process is not held up any longer when the promise resolves.
 */
export async function inject<Value>(
  pid: number,
  fault: string,
  during: () => Promise<Value>,
): Promise<Value> {
  return trace(pid, ["-f"], fault, during);
}

/**
 * Kill a process by its next system call of that name in its main thread; the call is not run. Its other
 * threads are not traced: strace waits for those of a process that was killed.
 */
export async function killAt<Value>(
  pid: number,
  call: string,
  during: () => Promise<Value>,
): Promise<Value> {
  return trace(pid, [], `${call}:signal=SIGKILL:when=1`, during);
}

async function trace<Value>(
  pid: number,
  more: readonly string[],
  fault: string,
  during: () => Promise<Value>,
): Promise<Value> {
  const flags = [...more, "-e", `inject=${fault}`, "-e", `trace=${fault.split(":")[0]}`];
  const strace = spawn("strace", [...flags, "-p", `${pid}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(strace, "exit");
  const lines = createInterface({ input: strace.stderr });
  try {
    // "strace: Process 4249 attached"; with more than one thread, "with 11 threads".
    await once(lines, "line");
    return await during();
  } finally {
    // What the process died of ends strace, and its lines, too.
    strace.stderr.resume();
    // Asked to leave a process that has just died, it waits for ever; killed, it lets go all the same.
    strace.kill(fault.includes("signal=SIGKILL") ? "SIGKILL" : "SIGTERM");
    await ended;
  }
}
