import { readdirSync, readFileSync } from "node:fs";

/** Memory that a process has for itself alone, KiB. */
export function privateKib(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return fieldOf(text, "Private_Clean") + fieldOf(text, "Private_Dirty");
}

/** Memory of a process that is in RAM, shared or not, KiB. */
export function residentKib(pid: number): number {
  return fieldOf(readFileSync(`/proc/${pid}/status`, "utf8"), "VmRSS");
}

/** CPU time that a process has used, all of its threads, in user and kernel; milliseconds, in steps of 10. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // Fields 14 and 15 (proc_pid_stat(5)) in ticks of USER_HZ, 100; the name, field 2, may have spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** The supervisor and the init of the cell that an executable runs in: its parent, and that one's other child. */
export function shimOf(pid: number): { readonly supervisor: number; readonly init: number } {
  const supervisor = parentOf(pid);
  const children = readdirSync("/proc")
    .map(Number)
    .filter((each) => each > 0 && parentOf(each) === supervisor);
  const init = children.find(
    (each) => readFileSync(`/proc/${each}/comm`, "utf8") === "aurae-init\n",
  );
  if (init === undefined) throw new Error(`Cannot find the init beside process ${pid}`);
  return { supervisor, init };
}

function parentOf(pid: number): number {
  try {
    return fieldOf(readFileSync(`/proc/${pid}/status`, "utf8"), "PPid");
  } catch {
    return -1; // It has ended.
  }
}

function fieldOf(text: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text);
  if (match === null) throw new Error(`Cannot find ${name}`);
  return Number(match[1]);
}
