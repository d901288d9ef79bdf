import { CellService, type CellStatus } from "@aurae/api/runtime";
import { WireClient } from "../client.ts";
import { type Daemon, spawnDaemon, startDaemon } from "../daemon.ts";

/** A daemon that is killed and comes back, always on the same directories. */
export class Restarting implements AsyncDisposable {
  readonly #first: Daemon;
  #daemon: Daemon;
  #client: WireClient;

  private constructor(first: Daemon) {
    this.#first = first;
    this.#daemon = first;
    this.#client = new WireClient(first);
  }

  static async start(): Promise<Restarting> {
    return new Restarting(await startDaemon());
  }

  get daemon(): Daemon {
    return this.#daemon;
  }

  get client(): WireClient {
    return this.#client;
  }

  /** Kill it if nobody has, and start the next one. */
  async killAndRestart(): Promise<void> {
    if (this.#daemon.isRunning()) process.kill(this.#daemon.pid, "SIGKILL");
    await this.#daemon.ended;
    this.#client[Symbol.dispose]();
    this.#daemon = await spawnDaemon(this.#first.directory);
    this.#client = new WireClient(this.#daemon);
  }

  /** All cells, as they are listed. */
  async cells(): Promise<readonly CellStatus[]> {
    return (await this.#client.call(CellService.method.list, {})).cells;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What a test that failed has left the next daemon ends.
    if (!this.#daemon.isRunning()) await this.killAndRestart();
    this.#client[Symbol.dispose]();
    if (this.#daemon !== this.#first) await this.#daemon[Symbol.asyncDispose]();
    await this.#first[Symbol.asyncDispose]();
  }
}
