import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import type { Place } from "./host.ts";
import { PipeLines } from "./pipe-lines.ts";

/** The failpoints of a daemon and of its shim, in the hands of a test; see docs/failpoints.md. */
export class Failpoints implements Disposable {
  readonly #plan: string;
  readonly #reached: PipeLines;
  #go: number;

  /** @param place of a daemon that was started with `failpoints` */
  constructor({ directory }: Place) {
    this.#plan = `${directory}/run/failpoints`;
    this.#reached = new PipeLines(`${this.#plan}.reached`);
    this.#go = makePipe(`${this.#plan}.go`);
  }

  /** Where the points are written that do `print`. */
  get printed(): string {
    return `${this.#plan}.printed`;
  }

  /** Plan from now on: "allocate.3.limits=1*kill". */
  arm(plan: string): void {
    writeFileSync(`${this.#plan}.new`, plan);
    renameSync(`${this.#plan}.new`, this.#plan);
  }

  disarm(): void {
    rmSync(this.#plan, { force: true });
  }

  /**
   * Wait until somebody stands still at this point.
   * @param call what has to come there; it is not answered before, unless the point is behind the answer
   */
  async reached(name: string, call?: Promise<unknown>): Promise<void> {
    const line = await this.#reached.next(call);
    if (line !== name) throw new Error(`${line} was reached, not ${name}`);
  }

  /** Let who stands still go on. */
  go(): void {
    writeSync(this.#go, ".");
  }

  /** Disarm, and let everybody go on: a test has failed, and nobody knows who stands where. */
  release(): void {
    this.disarm();
    // The old pipe is theirs: what nobody takes from it must not let others go.
    writeSync(this.#go, "........");
    rmSync(`${this.#plan}.go`);
    this.#go = makePipe(`${this.#plan}.go`);
  }

  /** Whoever stands still goes on. */
  [Symbol.dispose](): void {
    this.disarm();
    closeSync(this.#go);
    for (const suffix of ["go", "reached", "printed"])
      rmSync(`${this.#plan}.${suffix}`, { force: true });
    this.#reached[Symbol.dispose]();
  }
}

/** Both its ends are ours, so that nobody waits for us to open it. */
function makePipe(path: string): number {
  execFileSync("mkfifo", [path]);
  return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
}
