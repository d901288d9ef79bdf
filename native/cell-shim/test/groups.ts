/** The cgroups of this machine, as far as tests make some of their own. */
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";

export interface Hierarchy {
  readonly roles: number;
  readonly path: string;
}

/** The cgroup mounts of this machine, with the roles that the shim gives them. */
export function hierarchies(only: "all" | "v1" = "all"): Hierarchy[] {
  const bits: Record<string, number> = { cpu: 2, cpuacct: 4, memory: 8, pids: 16, freezer: 32 };
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  const found: Hierarchy[] = [];
  for (const [, path = "", kind, options = ""] of mounts) {
    const roles = options.split(",").reduce((sum, option) => sum | (bits[option] ?? 0), 0);
    if (kind === "cgroup" && roles > 0) found.push({ roles, path });
    if (kind === "cgroup2" && only === "all") found.push({ roles: 1, path });
  }
  return found;
}

/** Remove a tree of cgroups, depth first. */
export function removeTree(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(path, entry.name));
  rmdirSync(path);
}
