import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { CellService, type CellStatus, type ExecutableSchema } from "@aurae/api/runtime";
import { type CrashStep, shimSteps } from "@aurae/domain/failpoint-names";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { type Daemon, spawnDaemon, startDaemon } from "../daemon.ts";
import { Failpoints } from "../failpoints.ts";
import { cgroupsOf, type Place, pidsOf } from "../host.ts";
import { type Census, differencesSince, takeCensus } from "../oracle/oracle.ts";
import { PipeLines } from "../pipe-lines.ts";

/** No shell: its process has the same name from the beginning. */
export const sleeper: MessageInitShape<typeof ExecutableSchema> = {
  ...{ name: "main", command: "sleep", args: ["1000"] },
};

const bystander = { cellName: "bystander", executableName: "main" };

/** A daemon that is killed and comes back, always on the same directories, beside a cell that must not notice. */
export class CrashDaemon implements AsyncDisposable {
  readonly #first: Daemon;
  readonly failpoints: Failpoints;
  readonly #up: PipeLines;
  #daemon: Daemon;
  #client: WireClient;
  #bystander = 0;

  private constructor(first: Daemon) {
    this.#first = first;
    this.#daemon = first;
    this.failpoints = new Failpoints(first);
    this.#up = new PipeLines(`${first.directory}/up`);
    this.#client = new WireClient(first);
  }

  static async start(): Promise<CrashDaemon> {
    const crashing = new CrashDaemon(await startDaemon({ failpoints: true, dies: true }));
    const { cellName } = bystander;
    await crashing.client.allocate({ name: cellName });
    const executable = { ...sleeper, cellName };
    const { pid } = await crashing.client.call(CellService.method.start, { executable });
    crashing.#bystander = Number(pid);
    return crashing;
  }

  get place(): Place {
    return this.#first;
  }

  get client(): WireClient {
    return this.#client;
  }

  /** Start a script as the executable "main" of a cell. */
  async start(cellName: string, command: string): Promise<number> {
    const executable = { name: "main", command, cellName };
    const { pid } = await this.#client.call(CellService.method.start, { executable });
    return Number(pid);
  }

  /** Start a script that answers SIGTERM with another, and wait until it would. */
  async startTrapping(cellName: string, onTerm: string): Promise<void> {
    const loop = "while :; do sleep 1000 & wait; done";
    // A sleep that is forked while SIGTERM is sent does not get it.
    const trap = onTerm === "" ? "" : `kill $! 2>/dev/null; ${onTerm}`;
    await this.start(
      cellName,
      `trap '${trap}' TERM; echo first; echo up > ${this.#up.path}; ${loop}`,
    );
    await this.#up.next();
  }

  /** Kill the daemon when a call has come to a step, and start the next one. */
  async crashAt(step: CrashStep, call: () => Promise<unknown>): Promise<void> {
    const { failpoints } = this;
    if (step.endsWith(".replied")) {
      // The daemon cannot know when its answer is there; we do.
      await call();
      await this.kill();
      return this.restart();
    }
    const isShims = shimSteps.some((each) => each === step);
    failpoints.arm(`${step}=1*${isShims ? "pause" : "kill"}`);
    const answer = answerTo(call());
    if (isShims) {
      await failpoints.reached(step, answer);
      await this.kill();
      // A newcomer stands still, and is found so by the next daemon.
      if (step !== "start.4.cloned") failpoints.go();
    }
    await this.#daemon.ended;
    failpoints.disarm();
    assert.equal((await answer).code, status.UNAVAILABLE);
    await this.restart();
    failpoints.release();
  }

  /** Let the daemon fail when a call has come to a step, with an error that nobody catches. */
  async panicAt(step: string, call: () => Promise<unknown>): Promise<void> {
    this.failpoints.arm(`${step}=1*panic`);
    const answer = answerTo(call());
    assert.deepEqual(await this.#daemon.ended, [1, null]);
    this.failpoints.disarm();
    await answer;
    await this.restart();
  }

  async kill(): Promise<void> {
    process.kill(this.#daemon.pid, "SIGKILL");
    await this.#daemon.ended;
  }

  /** Start a daemon, after the last one has ended. */
  async restart(): Promise<void> {
    this.#client[Symbol.dispose]();
    this.#daemon = await spawnDaemon(this.place.directory, { failpoints: true });
    this.#client = new WireClient(this.#daemon);
  }

  /** What is known of a cell, when there is one of that name. */
  async find(cellName: string): Promise<CellStatus | undefined> {
    const { cells } = await this.#client.call(CellService.method.list, {});
    return cells.find(({ cell }) => cell?.name === cellName);
  }

  /** All that this machine has of us: to be compared before and after. */
  census(): Census {
    const { directory, pid } = this.#daemon;
    // The daemon is another one each time, and so are its sockets.
    return { ...takeCensus({ directory, daemon: pid }), descriptors: [], sockets: [] };
  }

  /** Nothing is left that was not there before, and nothing is gone. */
  async assertAsBefore(before: Census): Promise<void> {
    assert.deepEqual(await differencesSince(before, () => this.census()), []);
  }

  /** The cells that have logs, by id. */
  get loggedCells(): readonly string[] {
    return readdirSync(`${this.place.directory}/lib/logs`).toSorted();
  }

  /** The processes of an executable of a cell. */
  processesIn(cellName: string, executable = "main"): readonly number[] {
    const [directory = ""] = cgroupsOf(this.place, cellName);
    if (!existsSync(`${directory}/x-${executable}`)) return [];
    return pidsOf(this.place, cellName, executable);
  }

  /** The other cell goes on, and is known. */
  async assertUnnoticed(): Promise<void> {
    const { cellName } = bystander;
    assert.deepEqual(this.processesIn(cellName), [this.#bystander]);
    const [main] = (await this.find(cellName))?.executables ?? [];
    assert.equal(Number(main?.pid), this.#bystander);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.failpoints[Symbol.dispose]();
    this.#up[Symbol.dispose]();
    // A test that failed may have left none, and what it has would stay.
    if (!this.#daemon.isRunning()) await this.restart();
    this.#client[Symbol.dispose]();
    if (this.#daemon !== this.#first) await this.#daemon[Symbol.asyncDispose]();
    await this.#first[Symbol.asyncDispose]();
  }
}
