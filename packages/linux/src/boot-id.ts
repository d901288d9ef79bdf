import { readFileSync } from "node:fs";

/** The name of this boot of the kernel: pids and cells of another one mean nothing (fault 16). */
export function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
