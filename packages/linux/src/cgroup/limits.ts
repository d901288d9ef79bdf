import { join } from "node:path";
import type { CellName, Limits } from "@aurae/domain/cells";
import { Failure } from "@aurae/domain/errors";
import { errnoOf, inWords } from "../errno.ts";
import type { CgroupFiles } from "./cgroup-files.ts";
import { cpuWrites } from "./cpu.ts";
import { cpusetWrites } from "./cpuset.ts";
import { holds, type LimitWrite } from "./limit-write.ts";
import { memoryWrites } from "./memory.ts";
import type { Controller } from "./mounts.ts";
import { pidsWrites } from "./pids.ts";

/** Which version has a controller; undefined when none has. */
export type VersionOf = (controller: Controller) => 1 | 2 | undefined;

/** All writes that limits ask for, in an order that the kernel takes. */
export function planLimits(limits: Limits, versionOf: VersionOf): readonly LimitWrite[] {
  // A controller that is missing is found by its writes; which version they would be for is the same.
  function version(controller: Controller): 1 | 2 {
    return versionOf(controller) ?? 2;
  }
  return [
    ...cpusetWrites(limits, version("cpuset")),
    ...cpuWrites(limits, version("cpu")),
    ...memoryWrites(limits, version("memory")),
    ...pidsWrites(limits),
  ];
}

/** The refusal of a limit that this host cannot hold, with what would make it able to. */
export function missing(
  cell: CellName,
  write: LimitWrite,
  version: 1 | 2 | undefined,
  isV2Mounted: boolean,
): Failure {
  const { controller, file } = write;
  const [what, remedy] =
    version === undefined
      ? [
          `the cgroup controller ${controller} is not there`,
          controllerRemedy(controller, isV2Mounted),
        ]
      : [`this host has no ${file}`, fileRemedy(file, version)];
  const metadata = { cell, controller, ...(version === undefined ? {} : { file }) };
  const message = `Cannot limit cell "${cell}": ${what}; ${remedy}`;
  return new Failure("wrong-state", "CONTROLLER_MISSING", message, { metadata });
}

function controllerRemedy(controller: Controller, isV2Mounted: boolean): string {
  if (isV2Mounted) {
    return `write "+${controller}" to cgroup.subtree_control of the parent, or have systemd delegate it (Delegate=yes); if the kernel lacks it, boot with cgroup_enable=${controller}`;
  }
  return `mount -t cgroup -o ${controller} cgroup /sys/fs/cgroup/${controller}`;
}

function fileRemedy(file: string, version: 1 | 2): string {
  if (file.startsWith("memory.memsw") || file.startsWith("memory.swap")) {
    return "leave the limit of swap out, or boot with swapaccount=1";
  }
  if (file.startsWith("cpu.cfs")) return "leave the quota out; the kernel lacks CFS_BANDWIDTH";
  if (version === 1) {
    return "it is a file of cgroup v2: leave the limit out, or boot with systemd.unified_cgroup_hierarchy=1";
  }
  return "leave the limit out, or use a newer kernel";
}

/**
 * Make one limit hold, and see that it does.
 * @throws Failure `wrong-state` naming the limit that did not take
 */
export function applyLimit(
  files: CgroupFiles,
  cell: CellName,
  directory: string,
  write: LimitWrite,
): void {
  const { controller, file, value, readFile = file } = write;
  let actual: string;
  try {
    actual = files.writeAndRead(join(directory, file), value);
    if (readFile !== file) actual = files.read(join(directory, readFile));
  } catch (cause) {
    throw notHeld(cell, write, whyRefused(controller, cause), cause);
  }
  if (holds(write, actual)) return;
  throw notHeld(
    cell,
    write,
    `${readFile} says ${actual.trim() === "" ? "nothing" : actual.trim()}`,
  );
}

function notHeld(cell: CellName, write: LimitWrite, why: string, cause?: unknown): Failure {
  const { controller, file, value } = write;
  const message = `Cannot limit cell "${cell}": ${file} did not take ${value}: ${why}`;
  const metadata = { cell, controller, file, value };
  return new Failure("wrong-state", "LIMIT_NOT_HELD", message, { metadata, cause });
}

/** What the errno of a controller means; seen on Linux 6.18. */
function whyRefused(controller: Controller, cause: unknown): string {
  const errno = errnoOf(cause);
  if (controller === "cpuset" && errno === "EACCES") return "its parent does not have all of it";
  if (controller === "cpuset" && errno === "ERANGE") return "this host does not have all of it";
  if (controller === "cpu" && errno === "EINVAL") return "it is more than its parent's quota";
  return inWords(cause);
}
