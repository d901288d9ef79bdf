import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../errno.ts";
import { nextTurn } from "./leak-oracle.ts";
import { skipWithoutKernel } from "./linux-setting.ts";

const root = "/sys/fs/cgroup/freezer";

/** Why nothing can be frozen by version 1 here; false when it can. */
export const skipWithoutFreezer: string | false =
  skipWithoutKernel || (existsSync(join(root, "cgroup.procs")) ? false : "needs the v1 freezer");

/**
 * A process that waits in the kernel, in state D, whatever it is sent: frozen by version 1's freezer, in a
 * cgroup of its own that is no cell's. Disposing it lets it go.
 */
export class FrozenProcess implements AsyncDisposable {
  readonly #directory: string;

  private constructor(pid: number) {
    this.#directory = join(root, `aurae-frozen-${pid}`);
  }

  static async freeze(pid: number): Promise<FrozenProcess> {
    const frozen = new FrozenProcess(pid);
    mkdirSync(frozen.#directory);
    writeFileSync(join(frozen.#directory, "cgroup.procs"), `${pid}`);
    await frozen.#setState("FROZEN");
    return frozen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#setState("THAWED");
    // Thawed it goes back, or ends: one that is on its way out is listed until it has gone.
    while (!this.#tryRemove()) await nextTurn();
  }

  #tryRemove(): boolean {
    const members = readFileSync(join(this.#directory, "cgroup.procs"), "utf8");
    for (const pid of members.split("\n").filter(Boolean)) moveBack(pid);
    try {
      rmdirSync(this.#directory);
      return true;
    } catch (cause) {
      if (errnoOf(cause) !== "EBUSY") throw cause;
      return false;
    }
  }

  /** It takes a moment, and no event tells of it. */
  async #setState(state: "FROZEN" | "THAWED"): Promise<void> {
    const file = join(this.#directory, "freezer.state");
    writeFileSync(file, state);
    while (readFileSync(file, "utf8") !== `${state}\n`) await nextTurn();
  }
}

function moveBack(pid: string): void {
  try {
    writeFileSync(join(root, "cgroup.procs"), pid);
  } catch {
    // It has ended meanwhile.
  }
}
