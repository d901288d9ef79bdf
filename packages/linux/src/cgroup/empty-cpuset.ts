import { dirname, join } from "node:path";
import type { CgroupFiles } from "./cgroup-files.ts";

/**
 * Give a new cpuset of version 1 what its parent has. It is born empty, and a process that joins an
 * empty one is refused: ENOSPC.
 * @see https://docs.kernel.org/admin-guide/cgroup-v1/cpusets.html
 */
export function fillCpuset(files: CgroupFiles, directory: string): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const path = join(directory, file);
    if (files.read(path).trim() !== "") continue;
    files.write(path, files.read(join(dirname(directory), file)).trim());
  }
}

/** Let every cpuset that is made below be born with what its parent has; they hand it on themselves. */
export function inheritCpusets(files: CgroupFiles, directory: string): void {
  const path = join(directory, "cgroup.clone_children");
  if (files.read(path).trim() !== "1") files.write(path, "1");
}
