import { readFileSync } from "node:fs";
import { launcherOf, type Place } from "../host.ts";

/** The supervisors of a daemon's cells, and what supervisors that died have left: the launcher's children. */
export function supervisorsOf(place: Place): readonly number[] {
  return childrenOf(launcherOf(place));
}

/** The init of the cell that a supervisor has, while it has one. */
export function initUnder(supervisor: number): number | undefined {
  return childrenOf(supervisor).find((pid) => nameOf(pid) === "aurae-init");
}

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

function nameOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
}
