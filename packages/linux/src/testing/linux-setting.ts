import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import type { CellName } from "@aurae/domain/cells";
import { kernelFiles } from "../cgroup/cgroup-files.ts";
import { processesIn, tryRemove } from "../cgroup/directories.ts";
import { findHierarchies, kernelPaths } from "../cgroup/hierarchy.ts";
import { nodeOf } from "../cgroup/layout.ts";
import { LinuxHost, type LinuxHostOptions } from "../linux-host.ts";
import { FileLogStore, type FileLogStoreOptions } from "../logs/file-log-store.ts";

const shimDir = join(import.meta.dirname, "../../../../native/cell-shim/build");

/** Why tests on the real kernel cannot run here; false when they can. */
export const skipWithoutKernel: string | false = whyNot();

function whyNot(): string | false {
  if (process.geteuid?.() !== 0) return "needs root: it makes cgroups and namespaces";
  const isBuilt = kernelFiles.exists(join(shimDir, "aurae-supervisor"));
  return isBuilt ? false : "needs the cell shim: make build";
}

const patienceMs = 60_000;

type Overrides = Partial<LinuxHostOptions & FileLogStoreOptions>;

/** A host with directories and cgroups of its own, for one test; disposing it leaves nothing. */
export class LinuxSetting implements AsyncDisposable {
  readonly directory: string;
  readonly runtimeDir: string;
  readonly libraryDir: string;
  /** What the host had to say. */
  readonly warnings: string[] = [];
  host: LinuxHost;
  logs: FileLogStore;
  #overrides: Overrides;

  constructor(overrides: Overrides = {}) {
    // Short, for a socket's path has 107 bytes at most.
    this.directory = mkdtempSync(`${process.env["AURAE_TEST_TMP"] ?? "/tmp"}/al-`);
    this.runtimeDir = join(this.directory, "run");
    this.libraryDir = join(this.directory, "lib");
    kernelFiles.makeDirectory(this.runtimeDir);
    kernelFiles.makeDirectory(this.libraryDir);
    this.#overrides = overrides;
    this.logs = this.#openLogs();
    this.host = this.#openHost();
  }

  /** The directory of this host's cgroups in every tree where there is one. */
  get nodeDirectories(): readonly string[] {
    const { hierarchies } = findHierarchies(kernelFiles, kernelPaths, "/");
    const node = nodeOf(this.runtimeDir);
    return hierarchies
      .map(({ parent }) => join(parent, "aurae", node))
      .filter((directory) => kernelFiles.exists(directory));
  }

  /** A file of a cell's cgroup, or of one in it, wherever it is; undefined when it is nowhere. */
  readLimit(path: string, file: string): string | undefined {
    const below = path
      .split("/")
      .map((name) => (name.startsWith("x-") ? name : `c-${name}`))
      .join("/");
    const found = this.nodeDirectories
      .map((node) => join(node, below, file))
      .find((candidate) => kernelFiles.exists(candidate));
    return found === undefined ? undefined : kernelFiles.read(found).trim();
  }

  /** A directory of a cell, or in it, in the tree that has a file: "web", "memory.oom_control". */
  directoryWith(file: string, cell: string, below = ""): string {
    const inTree = join(`c-${cell}`, below);
    const found = this.nodeDirectories
      .map((node) => join(node, inTree))
      .find((candidate) => kernelFiles.exists(join(candidate, file)));
    if (found === undefined) throw new Error(`no cgroup of "${cell}" has ${file}`);
    return found;
  }

  /** A file in the cgroup of the launcher and the supervisors. */
  shimFile(file: string): string {
    const paths = this.nodeDirectories.map((node) => join(node, "_shim", file));
    return paths.find((path) => kernelFiles.exists(path)) ?? file;
  }

  /** The init of a cell, as this process sees it. */
  initOf(cell: string): number {
    const [directory = ""] = this.nodeDirectories;
    return Number(kernelFiles.read(join(directory, `c-${cell}`, "_init", "cgroup.procs")).trim());
  }

  /** Somebody else removes the cgroups of a cell, where nothing lives any more. */
  removeCgroups(cell: string): void {
    for (const directory of this.nodeDirectories)
      tryRemove(kernelFiles, join(directory, `c-${cell}`));
  }

  /** Put a file where cells are kept. */
  plant(id: string, name: string, text: string): void {
    const directory = join(this.runtimeDir, "cells", id);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, name), text);
  }

  /** Make a cell look as if the daemon had died before it was committed. */
  uncommit(id: string): void {
    const directory = join(this.runtimeDir, "cells", id);
    renameSync(join(directory, "cell.json"), join(directory, "intent.json"));
  }

  /** The daemon dies and another comes: the same directories, a host that knows nothing. */
  async restart(overrides: Overrides = {}): Promise<void> {
    this.#overrides = { ...this.#overrides, ...overrides };
    await this.host[Symbol.asyncDispose]();
    await this.logs[Symbol.asyncDispose]();
    this.logs = this.#openLogs();
    this.host = this.#openHost();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What a test that failed has left is ended as the next daemon would, however long it takes here.
    await this.restart({ killTimeoutMs: patienceMs });
    for (const { enclosure } of (await this.host.adopt()).toReversed()) await enclosure.end(0);
    // With what nobody can read there it would be thought that a cell is left, and the launcher kept.
    const cells = join(this.runtimeDir, "cells");
    for (const name of readdirSync(cells)) rmSync(join(cells, name), { recursive: true });
    await this.host.retire();
    await this.host[Symbol.asyncDispose]();
    await this.logs[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The launcher of this host; found where only it and supervisors are, and told by its program. */
  get launchers(): readonly number[] {
    return this.shims.filter((pid) => isProgram(pid, "aurae-launcher"));
  }

  /** How many cells have a directory. */
  get cells(): number {
    return readdirSync(join(this.runtimeDir, "cells")).length;
  }

  get supervisors(): readonly number[] {
    return this.shims.filter((pid) => isProgram(pid, "aurae-supervisor"));
  }

  /** The launcher, the supervisors, and those of them that are dying. */
  get shims(): readonly number[] {
    const directory = this.nodeDirectories[0];
    if (directory === undefined) return [];
    return processesIn(kernelFiles, join(directory, "_shim")).map(Number);
  }

  #openLogs(): FileLogStore {
    const { libraryDir } = this;
    return new FileLogStore({ libraryDir, warn: this.#warn, ...this.#overrides });
  }

  #openHost(): LinuxHost {
    const { runtimeDir, logs } = this;
    const common = { runtimeDir, logs, shimDir, cgroupParent: "/", warn: this.#warn };
    return new LinuxHost({ ...common, ...this.#overrides });
  }

  readonly #warn = (message: string): void => {
    this.warnings.push(message);
  };
}

/** A host whose launcher runs already, so that a census before and after has it both times. */
export async function warmSetting(overrides: Overrides = {}): Promise<LinuxSetting> {
  const setting = new LinuxSetting(overrides);
  // The first watcher makes an inotify that the process keeps.
  watch(setting.directory).close();
  const spec = { limits: { pidsMax: 3 }, shared: new Set<never>(), labels: new Map() };
  const request = { name: "warm" as CellName, spec, parent: undefined };
  await (await setting.host.enclose(request)).end(0);
  return setting;
}

function isProgram(pid: number, name: string): boolean {
  try {
    const [program = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return basename(program) === name;
  } catch {
    return false; // It has ended since.
  }
}
