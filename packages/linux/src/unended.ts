import { readdirSync, readFileSync } from "node:fs";
import { Failure } from "@aurae/domain/errors";
import { isDoneWithin } from "./deadline.ts";

/** What was asked to end, for who waits for it. */
export interface Ending {
  /** The beginning of a message: `Cannot stop run 1 in cell "web"`. */
  readonly what: string;
  /** Its grace, and how long what was killed may take to be gone. */
  readonly timeoutMs: number;
  readonly done: Promise<void>;
  /** The pids of its processes, by the kernel's own list. */
  readonly processes: () => readonly string[];
}

/**
 * Wait until processes have ended, but not for ever: nobody can end one that waits in the kernel. What
 * was asked for goes on, and is done when the kernel lets go.
 *
 * @throws Failure `too-slow` that names them; `unavailable` when what is left could be ended
 */
export async function awaitEnd({ what, timeoutMs, done, processes }: Ending): Promise<void> {
  if (await isDoneWithin(timeoutMs, done)) return;
  const left = processes();
  const stuck = left.filter(isUninterruptible);
  if (stuck.length === 0) {
    const pids = left.length === 0 ? "" : `; processes live on: ${left.join(", ")}`;
    throw new Failure(
      "unavailable",
      "CELL_FAILED",
      `${what}: its supervisor does not end it${pids}`,
    );
  }
  const count = stuck.length === 1 ? "1 process is" : `${stuck.length} processes are`;
  throw new Failure(
    "too-slow",
    "PROCESSES_UNINTERRUPTIBLE",
    `${what}: ${count} uninterruptible (state D): ${stuck.join(", ")}; it ends when the kernel lets go`,
    { metadata: { processes: String(stuck.length), pids: stuck.join(" ") } },
  );
}

/** Whether one of its threads waits for something in the kernel, where no signal reaches it: proc_pid_stat(5). */
function isUninterruptible(pid: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some((thread) => {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
      // The name before the state is in parentheses, and may contain any of this.
      return stat.startsWith("D", stat.lastIndexOf(")") + 2);
    });
  } catch {
    return false; // It has ended meanwhile.
  }
}
