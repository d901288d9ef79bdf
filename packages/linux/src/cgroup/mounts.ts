/** The controllers that cells are limited and counted by. */
export const controllers = ["cpu", "cpuacct", "memory", "pids", "freezer", "cpuset"] as const;

export type Controller = (typeof controllers)[number];

/** One tree of cgroups, and where it is mounted. */
export interface CgroupMount {
  readonly version: 1 | 2;
  readonly mountPoint: string;
  /** The cgroup that is seen at the mount point: "/" but in containers. */
  readonly root: string;
  /** Of version 1, those mounted together; of version 2, see `cgroup.controllers` in the tree. */
  readonly controllers: ReadonlySet<Controller>;
}

export interface CgroupMounts {
  /** Each tree once. One without a controller of ours (`name=systemd`) is not among them. */
  readonly trees: readonly CgroupMount[];
  /** Every place where cgroups are mounted, so that all can be made read-only in a cell. */
  readonly mountPoints: readonly string[];
}

/**
 * Find the cgroups in the text of /proc/self/mountinfo.
 * @see https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
 */
export function readCgroupMounts(mountinfo: string): CgroupMounts {
  const trees = new Map<string, CgroupMount>();
  const mountPoints: string[] = [];
  for (const line of mountinfo.split("\n")) {
    const mount = readLine(line);
    if (mount === undefined) continue;
    mountPoints.push(mount.mountPoint);
    const isOurs = mount.version === 2 || mount.controllers.size > 0;
    const known = trees.get(mount.device);
    // A tree may be mounted twice. The mount that shows all of it is the better one.
    if (isOurs && (known === undefined || (known.root !== "/" && mount.root === "/"))) {
      trees.set(mount.device, mount);
    }
  }
  return { trees: [...trees.values()], mountPoints };
}

/** `36 31 0:33 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids`; optional fields before the dash. */
function readLine(line: string): (CgroupMount & { readonly device: string }) | undefined {
  const [before, after] = line.split(" - ");
  const [, , device, root, mountPoint] = before?.split(" ") ?? [];
  const [type, , options] = after?.split(" ") ?? [];
  if (device === undefined || root === undefined || mountPoint === undefined) return undefined;
  if (type !== "cgroup" && type !== "cgroup2") return undefined;
  const names = new Set(type === "cgroup" ? options?.split(",") : []);
  return {
    device,
    version: type === "cgroup" ? 1 : 2,
    mountPoint: unescapePath(mountPoint),
    root: unescapePath(root),
    controllers: new Set(controllers.filter((controller) => names.has(controller))),
  };
}

/** The kernel writes blanks and backslashes of a path in octal. */
function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
