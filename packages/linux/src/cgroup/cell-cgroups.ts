import { join } from "node:path";
import type { ExecutableName } from "@aurae/domain/cells";
import { Failure, type FailureReason } from "@aurae/domain/errors";
import { errnoOf } from "../errno.ts";
import type { CgroupFiles } from "./cgroup-files.ts";
import {
  becomesEmpty,
  ensureDirectory,
  processesIn,
  removeWhenEmpty,
  tryRemove,
} from "./directories.ts";
import type { Hierarchy } from "./hierarchy.ts";
import { executableDirectory, initDirectory } from "./layout.ts";
import type { Controller } from "./mounts.ts";
import { switchOn } from "./subtree-control.ts";

/** The directory of a cell in one tree. */
export interface CellPlace {
  readonly hierarchy: Hierarchy;
  readonly directory: string;
}

/** What a hierarchy is to the supervisor: a bit for each, see docs/design/shim.md. */
const roles = { cpu: 2, cpuacct: 4, memory: 8, pids: 16, freezer: 32, cpuset: 64 } as const;

/** How long a cell whose supervisor died may take to follow it. */
const killTimeoutMs = 10_000;

/** The directories of one cell in every tree that it uses. Who makes them removes them. */
export class CellCgroups {
  readonly #files: CgroupFiles;
  readonly #places: readonly CellPlace[];
  readonly #others: readonly string[];

  /** @param others directories that the cell may have without using them */
  constructor(files: CgroupFiles, places: readonly CellPlace[], others: readonly string[]) {
    this.#files = files;
    this.#places = places;
    this.#others = others;
  }

  /** The directories as the supervisor needs them. */
  get hierarchies(): readonly { readonly roles: number; readonly directory: string }[] {
    return this.#places.map(({ hierarchy, directory }) => ({
      roles: rolesOf(hierarchy),
      directory,
    }));
  }

  /** @throws Failure `wrong-state` when something lives in a directory that no cell of ours has */
  make(): void {
    for (const { directory } of this.#places) {
      // Left by a cell that ended badly. It may have been killed, so it is not used again.
      if (!this.#tryMake(directory)) this.#makeAnew(directory, "CGROUP_NOT_OWNED");
    }
  }

  makeInit(): void {
    for (const { directory } of this.#places) {
      ensureDirectory(this.#files, join(directory, initDirectory));
    }
  }

  /** Whether the kernel killed the cell's init for want of memory: it counts that where the victim was. */
  get initIsOutOfMemory(): boolean {
    const counters = this.#places.flatMap(({ directory }) => [
      join(directory, initDirectory, "memory.oom_control"),
      join(directory, initDirectory, "memory.events"),
    ]);
    const counted = counters.find((path) => this.#files.exists(path));
    return counted !== undefined && /^oom_kill [1-9]/m.test(this.#files.read(counted));
  }

  /** Have the kernel count for each executable. Possible once the cell's init sits in its leaf. */
  countExecutables(): void {
    for (const { hierarchy, directory } of this.#places) {
      if (hierarchy.version !== 2) continue;
      const wanted = (["cpu", "memory", "pids"] as const satisfies readonly Controller[]).filter(
        (controller) => hierarchy.controllers.has(controller),
      );
      if (wanted.length > 0) switchOn(this.#files, directory, wanted);
    }
  }

  /** @throws Failure `wrong-state` when something of an earlier run lives there, or the cell has gone */
  makeExecutable(name: ExecutableName): void {
    const leaf = executableDirectory(name);
    try {
      for (const { directory } of this.#places) {
        const path = join(directory, leaf);
        if (!this.#tryMake(path)) this.#makeAnew(path, "EXECUTABLE_TREE_ALIVE");
      }
    } catch (cause) {
      this.removeExecutable(name);
      if (errnoOf(cause) !== "ENOENT") throw cause;
      const message = `Cannot make ${leaf}: the cgroups of the cell were removed from outside`;
      throw new Failure("wrong-state", "CELL_FAILED", message, { cause });
    }
  }

  /** Whether it is gone now; it is not while a process lives there. */
  removeExecutable(name: ExecutableName): boolean {
    const leaf = executableDirectory(name);
    let isGone = true;
    for (const { directory } of this.#places) {
      isGone = tryRemove(this.#files, join(directory, leaf)) && isGone;
    }
    return isGone;
  }

  async removeExecutableWhenEmpty(name: ExecutableName): Promise<void> {
    const leaf = executableDirectory(name);
    for (const { directory } of this.#places) {
      await removeWhenEmpty(this.#files, join(directory, leaf));
    }
  }

  /** The pids of the cell, those of cells in it among them, or of one executable. */
  processes(name?: ExecutableName): readonly string[] {
    const [first] = this.#places;
    if (first === undefined) return [];
    const { directory } = first;
    return processesIn(
      this.#files,
      name === undefined ? directory : join(directory, executableDirectory(name)),
    );
  }

  tryRemove(): boolean {
    for (const { directory } of this.#places) {
      tryRemove(this.#files, join(directory, initDirectory));
    }
    return this.#directories.map((directory) => tryRemove(this.#files, directory)).every(Boolean);
  }

  /** Remove all. @throws Failure `host` that names the first directory where something lives */
  async remove(): Promise<void> {
    if (this.tryRemove()) return;
    for (const directory of this.#directories) await removeWhenEmpty(this.#files, directory);
  }

  /**
   * End every process of a cell whose supervisor is gone. With version 2 the kernel kills; without,
   * the cell's init has died with the supervisor and its processes with it, if it has pids of its own.
   *
   * @throws Failure `host` that names the processes that are left: nothing is signaled by pid (fault 45)
   */
  async kill(): Promise<void> {
    for (const { hierarchy, directory } of this.#places) {
      if (hierarchy.version === 2) this.#killAt(directory);
    }
    for (const { directory } of this.#places) {
      if (await becomesEmpty(this.#files, directory, killTimeoutMs)) continue;
      const pids = processesIn(this.#files, directory).join(", ");
      throw new Failure(
        "host",
        "HOST_FAILED",
        `Cannot end the processes in ${directory}: ${pids} live on; end them by hand`,
      );
    }
  }

  /** Those that somebody else has removed. */
  get missing(): readonly string[] {
    return this.#places
      .map(({ directory }) => directory)
      .filter((directory) => !this.#files.exists(directory));
  }

  get areGone(): boolean {
    return this.missing.length === this.#places.length;
  }

  get #directories(): readonly string[] {
    const others = this.#others.filter((directory) => this.#files.exists(directory));
    return [...this.#places.map(({ directory }) => directory), ...others];
  }

  #killAt(directory: string): void {
    try {
      this.#files.write(join(directory, "cgroup.kill"), "1");
    } catch (cause) {
      if (errnoOf(cause) !== "ENOENT" && errnoOf(cause) !== "ENODEV") throw cause;
    }
  }

  #tryMake(path: string): boolean {
    try {
      this.#files.makeDirectory(path);
      return true;
    } catch (cause) {
      if (errnoOf(cause) === "EEXIST") return false;
      throw cause;
    }
  }

  #makeAnew(path: string, reason: FailureReason): void {
    if (!tryRemove(this.#files, path)) {
      const pids = processesIn(this.#files, path).join(", ");
      const message = `Cannot use cgroup ${path}: processes live in it: ${pids}`;
      throw new Failure("wrong-state", reason, message, { metadata: { directory: path } });
    }
    this.#files.makeDirectory(path);
  }
}

/** In version 2 nobody switches cpuset on below a cell: what is limited there is the cell. */
function rolesOf({ version, controllers }: Hierarchy): number {
  const bits = [...controllers]
    .filter((controller) => version === 1 || controller !== "cpuset")
    .map((controller) => roles[controller]);
  return bits.reduce<number>((sum, bit) => sum | bit, version === 2 ? 1 : 0);
}
