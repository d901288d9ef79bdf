import type { Limits } from "@aurae/domain/cells";
import type { LimitWrite } from "./limit-write.ts";

/** Whether a cell needs a directory among the cpusets: they slow each other, so only who asks has one. */
export function wantsCpuset(limits: Limits): boolean {
  return limits.cpusetCpus !== undefined || limits.cpusetMems !== undefined;
}

/**
 * The writes for processors and memory nodes. Version 2 takes what the parent does not have and
 * leaves it out quietly, so there the effective set is read back.
 */
export function cpusetWrites(limits: Limits, version: 1 | 2): readonly LimitWrite[] {
  return [
    ...write("cpuset.cpus", limits.cpusetCpus, version),
    ...write("cpuset.mems", limits.cpusetMems, version),
  ];
}

function write(file: string, value: string | undefined, version: 1 | 2): readonly LimitWrite[] {
  if (value === undefined) return [];
  const common = { controller: "cpuset", file, value, compare: "set" } as const;
  return [version === 1 ? common : { ...common, readFile: `${file}.effective` }];
}
