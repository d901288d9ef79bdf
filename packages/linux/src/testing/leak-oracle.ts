import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { kernelFiles } from "../cgroup/cgroup-files.ts";
import { processesIn } from "../cgroup/directories.ts";
import type { LinuxSetting } from "./linux-setting.ts";

/** What a host has on this machine. Taken before and after, it says what was left behind. */
export interface Census {
  /** Below our part of every tree of cgroups. */
  readonly cgroups: readonly string[];
  readonly processes: number;
  readonly mounts: string;
  /** Of this process; the numbers are given again, so what they point at is told. */
  readonly descriptors: readonly string[];
  readonly runtimeDir: readonly string[];
}

/** How long a supervisor that has said its last word, or a closed descriptor, may take to be gone. */
const settleMs = 5000;
const lookEveryMs = 20;

/** A census when nothing is on its way out: supervisors that have ended a cell are still leaving. */
export async function settledCensus(setting: LinuxSetting): Promise<Census> {
  await nextTurn();
  const signal = AbortSignal.timeout(settleMs);
  // One of them is the launcher.
  while (setting.shims.length - 1 > setting.cells && !signal.aborted) await delay(lookEveryMs);
  return takeCensus(setting);
}

/** Directories of runs go in the turn after their ends were told. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function takeCensus(setting: LinuxSetting): Census {
  const { nodeDirectories, runtimeDir } = setting;
  return {
    cgroups: nodeDirectories.flatMap(directoriesBelow).toSorted(),
    processes: new Set(nodeDirectories.flatMap((path) => processesIn(kernelFiles, path))).size,
    mounts: readFileSync("/proc/self/mountinfo", "utf8"),
    descriptors: openDescriptors(),
    runtimeDir: readdirSync(runtimeDir, { recursive: true, encoding: "utf8" }).toSorted(),
  };
}

/** Fail unless all is as it was. What the kernel tears down by itself is waited for. */
export async function assertNothingLeft(setting: LinuxSetting, before: Census): Promise<void> {
  const signal = AbortSignal.timeout(settleMs);
  for (;;) {
    try {
      assert.deepEqual(takeCensus(setting), before);
      return;
    } catch (cause) {
      if (signal.aborted) throw cause;
    }
    await delay(lookEveryMs);
  }
}

function directoriesBelow(path: string): readonly string[] {
  return kernelFiles.directoriesIn(path).flatMap((name) => {
    const below = join(path, name);
    return [below, ...directoriesBelow(below)];
  });
}

function openDescriptors(): readonly string[] {
  return readdirSync("/proc/self/fd").flatMap(targetOf).toSorted();
}

/** Sockets and pipes have numbers that are never the same; the listing's own descriptor is gone by now. */
function targetOf(descriptor: string): readonly string[] {
  try {
    return [readlinkSync(`/proc/self/fd/${descriptor}`).replace(/\[\d+\]/, "")];
  } catch {
    return [];
  }
}
