import type { TLSSocket } from "node:tls";
import { Gate } from "@aurae/domain/observe";
import type { DescService } from "@bufbuild/protobuf";
import { experimental, Server, ServerCredentials } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Caller } from "../access/caller.ts";
import type { ServiceImpl } from "../services/service-impl.ts";
import { Adapter } from "./adapter.ts";
import { callGate } from "./call-gate.ts";
import { Connection, type ListenerKind } from "./connection.ts";
import { endWithCertificate } from "./end-with-certificate.ts";
import { OpenCalls } from "./open-calls.ts";
import { addReflection } from "./reflection.ts";
import { serverOptions } from "./transport-limits.ts";

/** A socket that has passed its handshake. */
export interface AcceptedSocket {
  readonly socket: TLSSocket;
  readonly listener: ListenerKind;
  readonly caller: Caller;
}

/** gRPC over connections that others have accepted. It owns them from accept() on. */
export class RpcServer implements AsyncDisposable {
  readonly #calls = new OpenCalls();
  readonly #server = new Server(serverOptions);
  readonly #adapter: Adapter;
  readonly #log: Logger;
  /** Those that are open: grpc-js does not know them all, and they are ours to end. */
  readonly #sockets = new Set<TLSSocket>();
  readonly #flushed = new Gate();
  #isClosed = false;

  constructor(log: Logger) {
    this.#log = log;
    this.#adapter = new Adapter(this.#server, this.#calls, log);
  }

  addService<Service extends DescService>(service: Service, impl: ServiceImpl<Service>): void {
    this.#adapter.add(service, impl);
  }

  /** Tell of these services by grpc.reflection.v1 and v1alpha. */
  addReflection(services: readonly DescService[]): void {
    addReflection(this.#server, services);
  }

  /**
   * Serve a connection. Each has an injector of its own, so that its calls know it: grpc-js tells
   * them nothing of the listener, and would read the certificate anew for each.
   */
  accept({ socket, listener, caller }: AcceptedSocket): void {
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    const peer = socket.remoteAddress ? `${socket.remoteAddress}:${socket.remotePort}` : "";
    const connection = new Connection(listener, caller, peer);
    const credentials = experimental.createServerCredentialsWithInterceptors(
      // TLS has been done.
      ServerCredentials.createInsecure(),
      [callGate(connection, this.#calls, this.#log)],
    );
    const injector = this.#server.createConnectionInjector(credentials);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#isClosed && this.#sockets.size === 0) this.#flushed.open();
      injector.destroy();
    });
    endWithCertificate(socket, caller);
    injector.injectConnection(socket);
  }

  /** Refuse new calls from now on, and tell the open ones. Health is answered still. */
  stop(): void {
    this.#calls.stop();
  }

  /** Let the calls that run after stop() finish; when the signal aborts, they are cut off. */
  async close(signal: AbortSignal): Promise<void> {
    this.stop();
    // Given up in time: then they are cut off.
    await this.#calls.idle(signal).catch(() => undefined);
    this.#isClosed = true;
    await this.#flush(signal);
    this.#server.forceShutdown();
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(AbortSignal.abort());
  }

  /**
   * Wait until every connection has sent its last answers and is closed. The callback of grpc-js
   * comes too early: Node's server has begun to close its sessions by then.
   */
  async #flush(signal: AbortSignal): Promise<void> {
    this.#server.tryShutdown(() => undefined);
    if (this.#sockets.size === 0) this.#flushed.open();
    await this.#flushed.wait(signal).catch(() => undefined);
  }
}
