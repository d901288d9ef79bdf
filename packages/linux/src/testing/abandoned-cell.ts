import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { AdoptedCell } from "@aurae/domain/cells";
import { kernelFiles } from "../cgroup/cgroup-files.ts";
import { processesIn } from "../cgroup/directories.ts";
import type { LinuxSetting } from "./linux-setting.ts";
import { firstLine } from "./log-text.ts";
import { until } from "./until.ts";
import { executableName, WatchedCell } from "./watched-cell.ts";

/** What is left of the cell "web" that a daemon made: each part of it can be taken away. */
export class AbandonedCell {
  readonly id: string;
  /** Of its run 1, which sleeps; run 2 has ended with 3. */
  readonly pid: number;
  readonly supervisor: number;
  readonly directory: string;
  readonly #setting: LinuxSetting;

  private constructor(setting: LinuxSetting, id: string, pid: number) {
    const [supervisor = 0] = setting.supervisors;
    this.id = id;
    this.pid = pid;
    this.supervisor = supervisor;
    this.directory = join(setting.runtimeDir, "cells", id);
    this.#setting = setting;
  }

  /** The daemon is gone when it is there. A cell that shares pids does not die with its supervisor. */
  static async create(
    setting: LinuxSetting,
    shared: ReadonlySet<"pid"> = new Set(),
  ): Promise<AbandonedCell> {
    const cell = await WatchedCell.allocate(setting.host, "web", { shared });
    const { pid } = await cell.start(1, "echo ready; exec sleep 1000");
    await cell.start(2, "exit 3", { name: executableName("done") });
    await cell.closed(2);
    // Its record is written by then.
    await firstLine(setting, cell, 1);
    const abandoned = new AbandonedCell(setting, cell.enclosure.id, pid);
    await setting.restart();
    return abandoned;
  }

  get isRunning(): boolean {
    try {
      process.kill(this.pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  get hasCgroups(): boolean {
    return this.#cgroups.some((path) => kernelFiles.exists(path));
  }

  /** Take the file away that says what it is. */
  loseRecord(): void {
    rmSync(join(this.directory, "cell.json"));
  }

  /** Move what lives in it out of its cgroups, then remove those, as only root can. */
  loseCgroups(): void {
    for (const path of this.#cgroups) {
      const root = dirname(dirname(dirname(path)));
      for (const pid of processesIn(kernelFiles, path)) {
        kernelFiles.write(join(root, "cgroup.procs"), pid);
      }
    }
    this.#setting.removeCgroups("web");
  }

  /** It is gone, and nobody listens where it did. */
  async loseSupervisor(): Promise<void> {
    process.kill(this.supervisor, "SIGKILL");
    await until(() => !this.#setting.shims.includes(this.supervisor));
  }

  /** Let the next daemon find it. */
  async adopt(): Promise<AdoptedCell | undefined> {
    const [adopted] = await this.#setting.host.adopt();
    return adopted;
  }

  get #cgroups(): readonly string[] {
    return this.#setting.nodeDirectories
      .map((node) => join(node, "c-web"))
      .filter((path) => kernelFiles.exists(path));
  }
}
