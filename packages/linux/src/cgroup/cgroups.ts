import { dirname, join } from "node:path";
import type { CellName, Limits } from "@aurae/domain/cells";
import { failpoint } from "@aurae/domain/failpoints";
import { CellCgroups } from "./cell-cgroups.ts";
import type { CgroupFiles } from "./cgroup-files.ts";
import { findChangedLimits } from "./changed-limits.ts";
import { wantsCpuset } from "./cpuset.ts";
import { directoriesIn, ensureDirectory, removeIfEmpty, removeWhenEmpty } from "./directories.ts";
import { fillCpuset, inheritCpusets } from "./empty-cpuset.ts";
import type { Hierarchy } from "./hierarchy.ts";
import { cellPath, isCellDirectory } from "./layout.ts";
import type { LimitWrite } from "./limit-write.ts";
import { applyLimit, missing, planLimits } from "./limits.ts";
import type { Controller } from "./mounts.ts";
import { switchOn } from "./subtree-control.ts";

/** What every cell is limited and counted by, wherever it is there. */
const always: readonly Controller[] = ["cpu", "cpuacct", "memory", "pids"];

/** Our part of every tree of cgroups. */
export class Cgroups {
  readonly #files: CgroupFiles;
  readonly #hierarchies: readonly Hierarchy[];
  readonly #node: string;
  readonly #isV2Mounted: boolean;
  /** Files of limits that were seen once: the kernel does not take them away. */
  readonly #seen = new Set<string>();
  #isPrepared = false;

  constructor(files: CgroupFiles, hierarchies: readonly Hierarchy[], node: string) {
    this.#files = files;
    this.#hierarchies = hierarchies;
    this.#node = node;
    this.#isV2Mounted = hierarchies.some(({ version }) => version === 2);
  }

  /** Whether the controllers that limit cells are version 2's: all three. */
  get isV2(): boolean {
    return (["cpu", "memory", "pids"] as const).every((name) => this.#versionOf(name) === 2);
  }

  /** The directories of the launcher and the supervisors, in every tree that cells use. */
  get shimDirectories(): readonly string[] {
    return this.#used(false).map((hierarchy) => join(this.#nodeDirectory(hierarchy), "_shim"));
  }

  /** Make what all cells are below. Again is fine: somebody may have removed it. */
  prepare(): void {
    for (const hierarchy of this.#used(false)) {
      const node = this.#nodeDirectory(hierarchy);
      ensureDirectory(this.#files, dirname(node));
      ensureDirectory(this.#files, node);
      if (hierarchy.controllers.has("cpuset") && hierarchy.version === 1) {
        this.#prepareCpuset(hierarchy);
      }
      this.#switchOn(hierarchy, undefined, always);
      ensureDirectory(this.#files, join(node, "_shim"));
    }
    this.#isPrepared = true;
  }

  /**
   * Remove all that is ours, when no cell is left: the kernel ends the launcher by its cgroup.
   * Without version 2 it cannot, and the launcher stays until the boot ends: false then.
   */
  async retire(): Promise<boolean> {
    const nodes = this.#used(true).map((hierarchy) => this.#nodeDirectory(hierarchy));
    if (!this.#isV2Mounted) return false;
    for (const node of nodes) {
      const kill = join(node, "_shim", "cgroup.kill");
      if (this.#files.exists(kill)) this.#files.write(kill, "1");
    }
    for (const node of nodes) {
      await removeWhenEmpty(this.#files, node);
      removeIfEmpty(this.#files, dirname(node));
    }
    this.#isPrepared = false;
    return true;
  }

  /**
   * Make the directories of a cell with limits that hold. When it fails nothing of it is left.
   *
   * @throws Failure `wrong-state`: a controller is missing (before anything is made), or a limit did
   *   not take
   */
  make(cell: CellName, limits: Limits): CellCgroups {
    const writes = planLimits(limits, (controller) => this.#versionOf(controller));
    // Fifteen calls that do nothing cost as much as making the cell: only when they may be needed.
    if (!this.#isPrepared || !this.#nodeIsThere()) this.prepare();
    const asksForCpuset = wantsCpuset(limits);
    if (asksForCpuset) this.#prepareCpusetsOf(cell);
    this.#requireAll(cell, writes);
    const cgroups = this.open(cell, asksForCpuset);
    try {
      cgroups.make();
      failpoint("allocate.2.cgroups");
      for (const write of writes) {
        applyLimit(this.#files, cell, this.#cellDirectory(write.controller, cell), write);
      }
      failpoint("allocate.3.limits");
      cgroups.makeInit();
      return cgroups;
    } catch (cause) {
      cgroups.tryRemove();
      throw cause;
    }
  }

  /** What of the limits of a cell does not hold any more; undefined when its cgroups are gone. */
  changedLimits(cell: CellName, limits: Limits): readonly string[] | undefined {
    const writes = planLimits(limits, (controller) => this.#versionOf(controller));
    const placed = writes.map((write) => ({
      write,
      directory: this.#cellDirectory(write.controller, cell),
    }));
    const { hierarchies } = this.open(cell, wantsCpuset(limits));
    const directories = hierarchies.map(({ directory }) => directory);
    return findChangedLimits(this.#files, directories, placed);
  }

  /** The directories of a cell that has been made before. */
  open(cell: CellName, asksForCpuset: boolean): CellCgroups {
    const path = cellPath(cell);
    const places = this.#used(asksForCpuset).map((hierarchy) => ({
      hierarchy,
      directory: join(this.#nodeDirectory(hierarchy), path),
    }));
    // A cell that did not ask may have a cpuset all the same, for a child of it that did.
    const others = this.#hierarchies
      .filter(({ controllers }) => controllers.has("cpuset"))
      .map((hierarchy) => join(this.#nodeDirectory(hierarchy), path))
      .filter((directory) => !places.some((place) => place.directory === directory));
    return new CellCgroups(this.#files, places, others);
  }

  /** Directories of cells that are none of these, one for each such cell, wherever it is found first. */
  strays(known: readonly CellName[]): readonly string[] {
    const paths = new Set(known.map(cellPath));
    const found = new Map<string, string>();
    for (const hierarchy of this.#used(true)) {
      const node = this.#nodeDirectory(hierarchy);
      for (const path of this.#straysBelow(node, "", paths)) {
        if (!found.has(path)) found.set(path, join(node, path));
      }
    }
    return [...found.values()];
  }

  /** What is in a stray is not told of for itself. */
  #straysBelow(node: string, path: string, known: ReadonlySet<string>): readonly string[] {
    return directoriesIn(this.#files, join(node, path))
      .filter(isCellDirectory)
      .map((name) => join(path, name))
      .flatMap((below) => (known.has(below) ? this.#straysBelow(node, below, known) : [below]));
  }

  #used(asksForCpuset: boolean): readonly Hierarchy[] {
    const wanted = new Set(always);
    // cgroup.kill needs version 2; without it a cell is frozen to be killed.
    if (!this.#isV2Mounted) wanted.add("freezer");
    if (asksForCpuset) wanted.add("cpuset");
    return this.#hierarchies.filter(
      ({ version, controllers }) =>
        version === 2 || [...controllers].some((controller) => wanted.has(controller)),
    );
  }

  /** Every file that will be written must be there. The node's directory has the same as a cell's. */
  #requireAll(cell: CellName, writes: readonly LimitWrite[]): void {
    for (const write of writes) {
      const hierarchy = this.#hierarchyOf(write.controller);
      if (hierarchy === undefined || !this.#hasFile(hierarchy, write.file)) {
        throw missing(cell, write, hierarchy?.version, this.#isV2Mounted);
      }
    }
  }

  #hasFile(hierarchy: Hierarchy, file: string): boolean {
    const path = join(this.#nodeDirectory(hierarchy), file);
    if (this.#seen.has(path)) return true;
    if (!this.#files.exists(path)) return false;
    this.#seen.add(path);
    return true;
  }

  /** Somebody may have cleaned up behind us, in one tree or all. */
  #nodeIsThere(): boolean {
    return this.#used(false).every((hierarchy) =>
      this.#files.exists(this.#nodeDirectory(hierarchy)),
    );
  }

  /** Cpusets from the top down to the parent of a cell: each is empty until it is filled. */
  #prepareCpusetsOf(cell: CellName): void {
    const hierarchy = this.#hierarchyOf("cpuset");
    if (hierarchy === undefined) return;
    if (hierarchy.version === 2) return this.#switchOn(hierarchy, cell, ["cpuset"]);
    this.#prepareCpuset(hierarchy);
    for (const directory of this.#ancestors(hierarchy, cell)) {
      ensureDirectory(this.#files, directory);
      fillCpuset(this.#files, directory);
    }
  }

  #prepareCpuset(hierarchy: Hierarchy): void {
    const node = this.#nodeDirectory(hierarchy);
    for (const directory of [dirname(node), node]) {
      ensureDirectory(this.#files, directory);
      fillCpuset(this.#files, directory);
      inheritCpusets(this.#files, directory);
    }
  }

  /** Switch controllers on from the top down, so that the children of the last have their files. */
  #switchOn(hierarchy: Hierarchy, cell: CellName | undefined, names: readonly Controller[]): void {
    const wanted = names.filter((name) => hierarchy.controllers.has(name));
    if (hierarchy.version === 1 || wanted.length === 0) return;
    const node = this.#nodeDirectory(hierarchy);
    const below = cell === undefined ? [] : this.#ancestors(hierarchy, cell);
    for (const directory of [hierarchy.parent, dirname(node), node, ...below]) {
      this.#leave(hierarchy, directory);
      switchOn(this.#files, directory, wanted);
    }
  }

  /**
   * Version 2 lets no process sit where controllers are on for the children: EBUSY. Under systemd we
   * are started just there, so we move into a leaf, once; the root of all cgroups is exempt.
   */
  #leave(hierarchy: Hierarchy, directory: string): void {
    if (directory !== hierarchy.own || directory !== hierarchy.parent) return;
    if (!this.#files.exists(join(directory, "cgroup.type"))) return;
    const leaf = join(directory, "_auraed");
    ensureDirectory(this.#files, leaf);
    const procs = this.#files.read(join(directory, "cgroup.procs")).split("\n");
    if (procs.includes(String(process.pid))) {
      this.#files.write(join(leaf, "cgroup.procs"), "0");
    }
  }

  #ancestors(hierarchy: Hierarchy, cell: CellName): readonly string[] {
    const directories: string[] = [];
    for (let path = dirname(cellPath(cell)); path !== "."; path = dirname(path)) {
      directories.unshift(join(this.#nodeDirectory(hierarchy), path));
    }
    return directories;
  }

  #versionOf(controller: Controller): 1 | 2 | undefined {
    return this.#hierarchyOf(controller)?.version;
  }

  #hierarchyOf(controller: Controller): Hierarchy | undefined {
    return this.#hierarchies.find(({ controllers }) => controllers.has(controller));
  }

  #cellDirectory(controller: Controller, cell: CellName): string {
    const hierarchy = this.#hierarchyOf(controller);
    if (hierarchy === undefined) throw new TypeError(`no hierarchy has ${controller}`);
    return join(this.#nodeDirectory(hierarchy), cellPath(cell));
  }

  #nodeDirectory({ parent }: Hierarchy): string {
    return join(parent, "aurae", this.#node);
  }
}
