import { join } from "node:path";
import type { CgroupFiles } from "./cgroup-files.ts";
import type { Controller } from "./mounts.ts";

/**
 * Give the children of a directory the files of controllers; those that are on stay so.
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html#enabling-and-disabling
 */
export function switchOn(
  files: CgroupFiles,
  directory: string,
  wanted: readonly Controller[],
): void {
  const file = join(directory, "cgroup.subtree_control");
  const on = new Set(files.read(file).trim().split(" "));
  const off = wanted.filter((controller) => !on.has(controller));
  if (off.length === 0) return;
  files.write(file, off.map((controller) => `+${controller}`).join(" "));
}
