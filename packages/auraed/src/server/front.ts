import type { Logger } from "pino";
import type { CallerRules } from "../access/caller.ts";
import type { TlsFiles } from "../access/tls-files.ts";
import type { ListenAddress } from "../config/listen-address.ts";
import type { ServingState } from "../services/health-service.ts";
import { Listener, type ListenerSetting } from "./listener.ts";
import { RpcServer } from "./rpc-server.ts";
import { addServices, type Node } from "./services.ts";

/** Where and for whom the daemon is there. */
export interface FrontOptions {
  readonly socket: string;
  readonly listen: ListenAddress | undefined;
  readonly tls: TlsFiles;
  readonly callers: CallerRules;
  readonly log: Logger;
}

/** How long calls that run may go on when the daemon stops. */
export const stopTimeoutMs = 5000;

/** All that clients see of the daemon: its listeners and the services behind them. */
export class Front implements AsyncDisposable {
  readonly #server: RpcServer;
  readonly #serving: ServingState;
  readonly #listeners: readonly Listener[];

  private constructor(server: RpcServer, serving: ServingState, listeners: readonly Listener[]) {
    this.#server = server;
    this.#serving = serving;
    this.#listeners = listeners;
  }

  /** Open every listener, or none. @throws Refusal */
  static async open(node: Node, options: FrontOptions): Promise<Front> {
    const { socket, listen, tls, callers, log } = options;
    const server = new RpcServer(log);
    const serving = addServices(server, node);
    const setting: ListenerSetting = { tls, callers, log, accept: (each) => server.accept(each) };

    const listeners: Listener[] = [];
    try {
      // TCP first, so that no socket appears for a daemon that does not come (fault 83).
      if (listen !== undefined) listeners.push(await Listener.onTcp(listen, setting));
      listeners.push(await Listener.onUnixSocket(socket, setting));
    } catch (cause) {
      for (const listener of listeners) listener[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
      throw cause;
    }
    return new Front(server, serving, listeners);
  }

  /** "unix:PATH" and "HOST:PORT" of each listener. */
  get addresses(): readonly string[] {
    return this.#listeners.map(({ name }) => name);
  }

  /** Use other certificates for connections that come; those that are open stay. */
  reload(files: TlsFiles): void {
    for (const listener of this.#listeners) listener.reload(files);
  }

  /**
   * Leave: health says NOT_SERVING, nothing new is taken, streams and waits end at once, other
   * calls when they are done or the signal aborts.
   */
  async close(signal: AbortSignal): Promise<void> {
    this.#serving.stop();
    this.#server.stop();
    for (const listener of this.#listeners) listener[Symbol.dispose]();
    await this.#server.close(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(AbortSignal.abort());
  }
}
