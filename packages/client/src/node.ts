import { Observe } from "@aurae/api/observe";
import { CellService } from "@aurae/api/runtime";
import type { Client } from "@grpc/grpc-js";
import type { CellRef } from "./cell.ts";
import { type CellInfo, readCellInfo } from "./cell-info.ts";
import { Cells } from "./cells.ts";
import { type LogItem, type LogOptions, type LogSource, Logs } from "./logs.ts";
import { type CallOptions, createRpcClient, type RpcClient, type Wire } from "./rpc.ts";

/** The services of the daemon as they are in the protos, one to one. */
export interface Rpc {
  readonly cells: RpcClient<typeof CellService>;
  readonly observe: RpcClient<typeof Observe>;
}

/**
 * A daemon that we are connected to. It owns the connection: leaving the `await using` scope closes
 * it, and nothing else: cells stay.
 */
export class Node implements AsyncDisposable {
  /** The raw calls. All the rest here is made of them. */
  readonly rpc: Rpc;
  readonly cells: Cells;
  readonly #wire: Wire;
  readonly #logs: Logs;

  /** Takes over the channel. */
  constructor(channel: Client) {
    this.#wire = { channel, running: new Set() };
    this.rpc = {
      cells: createRpcClient(this.#wire, CellService),
      observe: createRpcClient(this.#wire, Observe),
    };
    this.#logs = new Logs(this.rpc.observe);
    this.cells = new Cells(this.rpc.cells, this.#logs);
  }

  /** A cell that is there already, by its name. Nothing is asked until it is used. */
  cell(name: string): CellRef {
    return this.cells.ref(name);
  }

  /** The cells as a tree, sorted by name: all, or one and its children. */
  async list(
    options: CallOptions & { cell?: string | undefined } = {},
  ): Promise<readonly CellInfo[]> {
    const { cells } = await this.rpc.cells.list({ cellName: options.cell ?? "" }, options);
    return cells.map(readCellInfo);
  }

  /** The lines of one run of an executable: what is kept, then what comes, until it has ended. */
  logs(source: LogSource & LogOptions): AsyncGenerator<LogItem, void, undefined> {
    return this.#logs.follow(source, source);
  }

  /** What the daemon logs: what it remembers, then what comes. */
  daemonLogs(options?: Omit<LogOptions, "stream">): AsyncGenerator<LogItem, void, undefined> {
    return this.#logs.followDaemon(options);
  }

  /** Close the connection. Calls that run are cancelled. */
  close(): void {
    for (const call of this.#wire.running) call.cancel();
    this.#wire.channel.close();
  }

  // Async, since closing will wait for the calls that run; users write `await using` today.
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
