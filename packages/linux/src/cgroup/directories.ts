import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "@aurae/domain/errors";
import { errnoOf, inWords } from "../errno.ts";
import type { CgroupFiles } from "./cgroup-files.ts";

/** How long processes that were killed may take to be gone. A time-out is a failure, not a way on. */
const emptyTimeoutMs = 10_000;
/** How often version 1, which tells nothing, is looked at. */
const lookEveryMs = 10;

/** Make a directory; one that is there is fine, for `aurae/` is every daemon's. */
export function ensureDirectory(files: CgroupFiles, path: string): void {
  try {
    files.makeDirectory(path);
  } catch (cause) {
    if (errnoOf(cause) !== "EEXIST") throw cause;
  }
}

/**
 * Remove a directory and those in it, if nothing lives there: whether it is gone now. What was never
 * there is gone.
 */
export function tryRemove(files: CgroupFiles, path: string): boolean {
  try {
    files.removeDirectory(path);
    return true;
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === "ENOENT") return true;
    if (errno !== "EBUSY" && errno !== "ENOTEMPTY") throw cause;
  }
  // EBUSY is for processes and for directories in it: a workload may have made some (fault 21).
  const inside = directoriesIn(files, path);
  if (inside.length === 0) return false;
  const areGone = inside.map((name) => tryRemove(files, join(path, name)));
  return areGone.every(Boolean) && tryRemove(files, path);
}

/**
 * The same, and wait for processes that are dying.
 * @throws Failure `host` that names the directory when something goes on living there
 */
export async function removeWhenEmpty(files: CgroupFiles, path: string): Promise<void> {
  const signal = AbortSignal.timeout(emptyTimeoutMs);
  while (!tryRemove(files, path)) {
    if (signal.aborted) throw stillBusy(files, path);
    await change(files, path, signal);
  }
}

/** Remove a directory that others may have something in: `aurae/` is every daemon's. */
export function removeIfEmpty(files: CgroupFiles, path: string): void {
  try {
    files.removeDirectory(path);
  } catch (cause) {
    if (!["EBUSY", "ENOTEMPTY", "ENOENT"].includes(errnoOf(cause) ?? "")) throw cause;
  }
}

/** Wait until no process is left in a directory or below it; whether that came to be in time. */
export async function becomesEmpty(
  files: CgroupFiles,
  path: string,
  timeoutMs: number,
): Promise<boolean> {
  const signal = AbortSignal.timeout(timeoutMs);
  while (isPopulated(files, path)) {
    if (signal.aborted) return false;
    await change(files, path, signal);
  }
  return true;
}

function isPopulated(files: CgroupFiles, path: string): boolean {
  const events = readIfThere(files, join(path, "cgroup.events"));
  if (events !== undefined) return events.includes("populated 1");
  return processesIn(files, path).length > 0;
}

/** The pids in a directory and below it, as text. */
export function processesIn(files: CgroupFiles, path: string): readonly string[] {
  const own = (readIfThere(files, join(path, "cgroup.procs")) ?? "").split("\n").filter(Boolean);
  const below = directoriesIn(files, path).flatMap((name) => processesIn(files, join(path, name)));
  return [...own, ...below];
}

/** The kernel marks `cgroup.events` as modified when the last process has gone; version 1 has none. */
async function change(files: CgroupFiles, path: string, signal: AbortSignal): Promise<void> {
  const events = join(path, "cgroup.events");
  const pause = delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
  const watcher = tryWatch(files, events);
  if (watcher === undefined) return pause;
  const changed = new Promise<void>((resolve) => {
    watcher.once("change", () => resolve());
    watcher.once("error", () => resolve());
  });
  try {
    // It may have become empty before the watcher was there, so the watcher alone is not waited for.
    await Promise.race([changed, pause]);
  } finally {
    watcher.close();
  }
}

/** Undefined when there is nothing to watch, or no inotify left to do it with: looking is enough. */
function tryWatch(files: CgroupFiles, path: string): FSWatcher | undefined {
  if (!files.exists(path)) return undefined;
  try {
    return watch(path);
  } catch {
    return undefined;
  }
}

function stillBusy(files: CgroupFiles, path: string): Failure {
  const pids = processesIn(files, path).join(", ");
  const what = pids === "" ? "it is busy" : `processes live in it: ${pids}`;
  return new Failure("host", "HOST_FAILED", `Cannot remove cgroup ${path}: ${what}`);
}

/** The names of the directories in one; none when it is not there. */
export function directoriesIn(files: CgroupFiles, path: string): readonly string[] {
  try {
    return files.directoriesIn(path);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw cause;
  }
}

function readIfThere(files: CgroupFiles, path: string): string | undefined {
  try {
    return files.read(path);
  } catch (cause) {
    // ENODEV is what an open file of a removed cgroup answers.
    if (errnoOf(cause) === "ENOENT" || errnoOf(cause) === "ENODEV") return undefined;
    throw new Failure("host", "HOST_FAILED", `Cannot read ${path}: ${inWords(cause)}`, { cause });
  }
}
