import { join } from "node:path";
import { Failure } from "@aurae/domain/errors";
import type { CgroupFiles } from "./cgroup-files.ts";
import { ownPath, readOwnCgroups, serviceOf } from "./layout.ts";
import { type Controller, controllers, readCgroupMounts } from "./mounts.ts";

/** One tree of cgroups that cells can have a directory in. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** The directory that ours goes below. */
  readonly parent: string;
  /** Our own cgroup's directory: in version 2 it must not be the parent once controllers are on. */
  readonly own: string;
  readonly controllers: ReadonlySet<Controller>;
}

/** Where the kernel tells about itself; tests have files of their own. */
export interface KernelPaths {
  readonly mountinfo: string;
  readonly ownCgroups: string;
}

export const kernelPaths: KernelPaths = {
  mountinfo: "/proc/self/mountinfo",
  ownCgroups: "/proc/self/cgroup",
};

export interface FoundCgroups {
  readonly hierarchies: readonly Hierarchy[];
  readonly mountPoints: readonly string[];
}

/**
 * Find the trees of cgroups and what each controls. On a hybrid host a controller is version 1's
 * where it is mounted so; version 2 names only those that are left to it.
 *
 * @param parent a path in every tree, or "auto": the service's own when systemd started us, else "/"
 * @throws Failure `wrong-state` when nothing is mounted
 */
export function findHierarchies(
  files: CgroupFiles,
  paths: KernelPaths,
  parent: string,
): FoundCgroups {
  const { trees, mountPoints } = readCgroupMounts(files.read(paths.mountinfo));
  const own = readOwnCgroups(files.read(paths.ownCgroups));
  const isService = parent === "auto" && process.env["INVOCATION_ID"] !== undefined;
  const hierarchies = trees.map((tree): Hierarchy => {
    const path = isService ? serviceOf(ownPath(tree, own)) : parent === "auto" ? "/" : parent;
    const directory = join(tree.mountPoint, path);
    return {
      version: tree.version,
      parent: directory,
      own: join(tree.mountPoint, ownPath(tree, own)),
      controllers: tree.version === 1 ? tree.controllers : availableIn(files, directory),
    };
  });
  if (hierarchies.length > 0) return { hierarchies, mountPoints };
  const remedy = "mount -t cgroup2 cgroup2 /sys/fs/cgroup";
  throw new Failure(
    "wrong-state",
    "CONTROLLER_MISSING",
    `Cannot make cells: no cgroups are mounted; ${remedy}`,
  );
}

function availableIn(files: CgroupFiles, directory: string): ReadonlySet<Controller> {
  const file = join(directory, "cgroup.controllers");
  const names = new Set(files.exists(file) ? files.read(file).trim().split(" ") : []);
  // cpuacct is no controller there: every cgroup counts its time. Nor is freezer: it is always there.
  return new Set(controllers.filter((controller) => names.has(controller)));
}
