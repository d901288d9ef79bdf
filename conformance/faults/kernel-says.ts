import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** What the kernel says of a process, and gives no event for. */

const settleMs = 10_000;
const lookEveryMs = 20;

/** Look until it is so. @throws Error with what was seen last */
export async function until<T>(look: () => T, isSo: (seen: T) => boolean): Promise<T> {
  const signal = AbortSignal.timeout(settleMs);
  for (;;) {
    const seen = look();
    if (isSo(seen)) return seen;
    if (signal.aborted) throw new Error(`The last that was seen: ${JSON.stringify(seen)}`);
    await delay(lookEveryMs);
  }
}

/** The memory that a process has, in bytes; `RssAnon` is what it shares with nobody. */
export function memoryOf(pid: number, field: "VmRSS" | "RssAnon" = "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return 1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
}

/** What is open in a process: of files and sockets what they are, and each watch of inotify. */
export function openIn(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .flatMap((fd) => {
      try {
        const target = readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\[\d+\]/, "");
        const info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8");
        return [target, ...info.split("\n").filter((line) => line.startsWith("inotify"))];
      } catch {
        return []; // It was closed while we looked.
      }
    })
    .toSorted();
}
