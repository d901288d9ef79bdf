import { randomBytes } from "node:crypto";
import { readdirSync, realpathSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import {
  type AdoptedCell,
  type CellHost,
  type CellName,
  type EncloseRequest,
  type Enclosure,
  type Limits,
  leafOf,
  namespaceKinds,
} from "@aurae/domain/cells";
import { Failure } from "@aurae/domain/errors";
import { failpoint } from "@aurae/domain/failpoints";
import { adoptCells } from "./adoption.ts";
import { readBootId } from "./boot-id.ts";
import { CellDirectory } from "./cell-directory.ts";
import { kernelFiles } from "./cgroup/cgroup-files.ts";
import { Cgroups } from "./cgroup/cgroups.ts";
import { wantsCpuset } from "./cgroup/cpuset.ts";
import { findHierarchies, kernelPaths } from "./cgroup/hierarchy.ts";
import { nodeOf } from "./cgroup/layout.ts";
import { LinuxEnclosure } from "./enclosure.ts";
import type { EnclosureParts } from "./enclosure-parts.ts";
import { firstFailure, toHostFailure } from "./host-failure.ts";
import type { FileLogStore } from "./logs/file-log-store.ts";
import { makeOwnDirectory } from "./own-directory.ts";
import { RequestLog } from "./requests/request-log.ts";
import { requireShort } from "./runtime-dir.ts";
import { toCloneFlags } from "./shim/clone-flags.ts";
import { hangUp } from "./shim/hang-up.ts";
import { Launcher } from "./shim/launcher.ts";
import { type Enclose, type ProcessIdentity, protocolVersion } from "./shim/messages.ts";
import { sayRefused } from "./shim/refused.ts";
import { Supervisor, type SupervisorAddress, type SupervisorWatcher } from "./shim/supervisor.ts";
import { SpareDescriptors } from "./spare-descriptors.ts";
import { StateDisk } from "./state-disk.ts";

export interface LinuxHostOptions {
  /** Exists, and its lock is held (see `openLock`). Cells live here; it lives as long as the boot. */
  readonly runtimeDir: string;
  /** Where aurae-launcher, aurae-supervisor and aurae-stage are. */
  readonly shimDir: string;
  /** Knows the library directory; cells and runs are entered there. */
  readonly logs: FileLogStore;
  /**
   * The cgroup that ours goes below, in every hierarchy: a path such as "/", or "auto": the
   * service's own when systemd started us, else "/". "auto" when absent.
   */
  readonly cgroupParent?: string;
  /** What we are called in hellos: the version of the daemon. */
  readonly build?: string;
  /** Of this boot; tests may have another. */
  readonly bootId?: string;
  /** How long a supervisor that is found again may take to say what runs; 2,000 when absent. */
  readonly answerTimeoutMs?: number;
  /** How long one that was being ended may keep `adopt` from answering; 10,000 when absent. */
  readonly endTimeoutMs?: number;
  /** How long what was killed may take to be gone before who waits is told; 10,000 when absent. */
  readonly killTimeoutMs?: number;
  /** Told why no new work is taken any more, and undefined when it is again. */
  readonly readinessChanged?: (why: string | undefined) => void;
  /** What is odd but no reason to stop, one sentence each; for the log. */
  readonly warn: (message: string) => void;
}

/** The machine, as the kernel has it. It owns connections only: cells outlive it. */
export class LinuxHost implements CellHost, AsyncDisposable {
  readonly requests: RequestLog;
  readonly #options: LinuxHostOptions;
  readonly #cellsDir: string;
  readonly #bootId: string;
  readonly #cgroups: Cgroups;
  readonly #disk: StateDisk;
  readonly #spare = new SpareDescriptors();
  readonly #launcher: Launcher;
  readonly #socketPath: string;
  /** /sys, and cgroups that are mounted elsewhere: cells see them, and change nothing. */
  readonly #readOnlyPaths: readonly string[];
  readonly #enclosures = new Map<string, LinuxEnclosure>();

  /** @throws Failure `wrong-state` when a directory is too long for sockets, or no cgroups are mounted */
  constructor(options: LinuxHostOptions) {
    const { shimDir, cgroupParent = "auto" } = options;
    const runtimeDir = realpathSync(options.runtimeDir);
    requireShort(runtimeDir);
    this.#options = options;
    this.#bootId = options.bootId ?? readBootId();
    this.#cellsDir = join(runtimeDir, "cells");
    makeOwnDirectory(this.#cellsDir);
    this.#disk = new StateDisk(runtimeDir, options.readinessChanged ?? (() => undefined));
    const kept = { bootId: this.#bootId, disk: this.#disk, warn: options.warn };
    this.requests = new RequestLog({ path: join(runtimeDir, "requests"), ...kept });
    const { hierarchies, mountPoints } = findHierarchies(kernelFiles, kernelPaths, cgroupParent);
    this.#cgroups = new Cgroups(kernelFiles, hierarchies, nodeOf(runtimeDir));
    this.#readOnlyPaths = ["/sys", ...mountPoints.filter((path) => !path.startsWith("/sys/"))];
    this.#socketPath = join(runtimeDir, "launcher.sock");
    this.#launcher = new Launcher({
      socketPath: this.#socketPath,
      shimDir,
      prepareCgroups: () => {
        this.#cgroups.prepare();
        return this.#cgroups.shimDirectories;
      },
    });
  }

  get cgroupV2(): boolean {
    return this.#cgroups.isV2;
  }

  async enclose(request: EncloseRequest): Promise<Enclosure> {
    const what = `Cannot allocate cell "${request.name}"`;
    this.#disk.require(what);
    const parentInit = requireInit(what, request.parent);
    // The supervisor is on its way while directories are made.
    const connecting = this.#launcher.connect();
    connecting.catch(() => undefined);
    try {
      await using undo = new AsyncDisposableStack();
      undo.defer(() => hangUp(connecting));
      const parts = this.#make(request, undo, connecting);
      const enclosure = new LinuxEnclosure(parts);
      const socket = await connecting;
      failpoint("allocate.4.supervisor");
      const { supervisor, init } = await Supervisor.enclose(
        socket,
        this.#addressOf(parts, enclosure),
        this.#orderFor(request, parts, parentInit),
      );
      enclosure.serve(supervisor, init, []);
      undo.defer(async () => {
        await supervisor.end(0);
        await supervisor.left();
      });
      failpoint("allocate.6.ready");
      parts.cgroups.countExecutables();
      this.#disk.write(() => parts.directory.commit());
      failpoint("allocate.7.committed");
      undo.move();
      this.#enclosures.set(enclosure.id, enclosure);
      return enclosure;
    } catch (cause) {
      const doing = `the allocation of cell "${request.name}"`;
      throw toHostFailure(what, firstFailure(cause, doing, this.#options.warn));
    }
  }

  async adopt(): Promise<readonly AdoptedCell[]> {
    const adopted = await adoptCells({
      cellsDir: this.#cellsDir,
      bootId: this.#bootId,
      warn: this.#options.warn,
      catalog: this.#options.logs.catalog,
      requests: this.requests,
      keptRuns: this.#options.logs.keptRuns,
      endTimeoutMs: this.#options.endTimeoutMs ?? 10_000,
      partsOf: (id, file) => this.#partsOf(id, file.name, file.spec.limits),
      addressOf: (parts, enclosure) => this.#addressOf(parts, enclosure),
      supervisorOf: (id) => (watcher) => this.#addressOf(this.#unnamed(id), watcher),
    });
    this.#warnOfStrays(adopted.map(({ name }) => name));
    for (const { enclosure } of adopted) {
      if (enclosure instanceof LinuxEnclosure) this.#enclosures.set(enclosure.id, enclosure);
    }
    return adopted;
  }

  /**
   * Leave nothing on the machine, when no cell is left: the launcher ends, our cgroups go. For a
   * daemon that frees its cells and will not come back; the next `enclose` makes all anew.
   *
   * @returns whether nothing is left; false when there are cells, or the kernel has no cgroup.kill
   */
  async retire(): Promise<boolean> {
    if (readdirSync(this.#cellsDir).length > 0) return false;
    if (!(await this.#cgroups.retire())) return false;
    rmSync(this.#socketPath, { force: true });
    return true;
  }

  /** Hang up on every supervisor. The cells go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const enclosure of this.#enclosures.values()) enclosure.leave();
    this.#enclosures.clear();
    this.#disk[Symbol.dispose]();
    this.#spare[Symbol.dispose]();
    this.requests[Symbol.dispose]();
  }

  /** Make all that a cell needs on disk and in the cgroups; each step says how it is undone. */
  #make(
    request: EncloseRequest,
    undo: AsyncDisposableStack,
    connecting: Promise<Socket>,
  ): EnclosureParts {
    const { name, spec, mark } = request;
    const { catalog } = this.#options.logs;
    const id = randomBytes(8).toString("hex");
    const parts = this.#partsOf(id, name, spec.limits);
    // Registered before each step: a step that failed half-way is undone as well.
    undo.defer(() => this.#spare.lend(() => parts.directory.remove()));
    this.#disk.write(() => parts.directory.make({ name, spec, bootId: this.#bootId, mark }));
    failpoint("allocate.1.intent");
    undo.defer(() => catalog.cellRefused(id));
    catalog.cellAllocated(id, name);
    this.#cgroups.make(name, spec.limits);
    undo.defer(() => parts.cgroups.remove());
    undo.defer(() => hangUp(connecting));
    return parts;
  }

  #orderFor(
    { name, spec }: EncloseRequest,
    { id, directory, cgroups }: EnclosureParts,
    parentInit: ProcessIdentity | undefined,
  ): Enclose {
    const { catalog, segmentBytes, segmentsKept } = this.#options.logs;
    return {
      namespaces: toCloneFlags(namespaceKinds.filter((kind) => !spec.shared.has(kind))),
      hostName: leafOf(name),
      cellDir: directory.path,
      logDir: catalog.directoryOf(id),
      parentInit,
      segmentBytes,
      segmentsKept,
      // Whoever shares the mounts of the host shares what may be written there.
      readOnlyPaths: spec.shared.has("mount") ? [] : this.#readOnlyPaths,
      hierarchies: cgroups.hierarchies,
    };
  }

  #partsOf(id: string, name: CellName, limits: Limits): EnclosureParts {
    const { catalog, keptRuns } = this.#options.logs;
    return {
      id,
      name,
      directory: new CellDirectory(join(this.#cellsDir, id), keptRuns),
      cgroups: this.#cgroups.open(name, wantsCpuset(limits)),
      changedLimits: () => this.#cgroups.changedLimits(name, limits),
      catalog,
      killTimeoutMs: this.#options.killTimeoutMs ?? 10_000,
      disk: this.#disk,
      spare: this.#spare,
      requests: this.requests,
      warn: this.#options.warn,
      ended: () => this.#enclosures.delete(id),
    };
  }

  #unnamed(id: string): AddressParts {
    const { keptRuns } = this.#options.logs;
    return { id, name: id, directory: new CellDirectory(join(this.#cellsDir, id), keptRuns) };
  }

  /** A cgroup says whose it is by its name alone, and a record that cannot be read has none: it is left. */
  #warnOfStrays(known: readonly CellName[]): void {
    for (const directory of this.#cgroups.strays(known)) {
      this.#options.warn(
        `Cgroup ${directory} is of no cell that is known; it is left as it is: when nothing in it is wanted, end its processes and remove it`,
      );
    }
  }

  #addressOf({ id, name, directory }: AddressParts, watcher: SupervisorWatcher): SupervisorAddress {
    const build = this.#options.build ?? "development";
    const hello = { version: protocolVersion, cellId: id, bootId: this.#bootId, build };
    const answerTimeoutMs = this.#options.answerTimeoutMs ?? 2000;
    const { socketPath } = directory;
    const refused = sayRefused(name, this.#options.warn);
    return { cellName: name, socketPath, watcher, refused, hello, answerTimeoutMs };
  }
}

/** What of a cell is needed to find its supervisor. */
interface AddressParts {
  readonly id: string;
  readonly name: string;
  readonly directory: CellDirectory;
}

/** The init that a cell goes inside of; undefined for a cell at the root. */
function requireInit(what: string, parent: Enclosure | undefined): ProcessIdentity | undefined {
  if (parent === undefined) return undefined;
  if (!(parent instanceof LinuxEnclosure))
    throw new TypeError("the parent is no cell of this host");
  if (parent.init !== undefined) return parent.init;
  const metadata = { cell: parent.name };
  const message = `${what}: the init of its parent "${parent.name}" is gone`;
  throw new Failure("wrong-state", "CELL_FAILED", message, { metadata });
}
