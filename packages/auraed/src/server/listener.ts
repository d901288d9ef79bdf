import { once } from "node:events";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { Logger } from "pino";
import { type CallerRules, readCaller } from "../access/caller.ts";
import type { TlsFiles } from "../access/tls-files.ts";
import { toContextOptions, toTlsOptions } from "../access/tls-options.ts";
import type { ListenAddress } from "../config/listen-address.ts";
import { inWords } from "../process/in-words.ts";
import { Refusal } from "../process/refusal.ts";
import type { ListenerKind } from "./connection.ts";
import { createRefusalLog } from "./refusal-log.ts";
import type { AcceptedSocket } from "./rpc-server.ts";
import { maxConnections } from "./transport-limits.ts";
import { prepareSocketPlace, publishSocket } from "./unix-socket.ts";

/** What every listener shares. */
export interface ListenerSetting {
  readonly tls: TlsFiles;
  readonly callers: CallerRules;
  readonly log: Logger;
  readonly accept: (accepted: AcceptedSocket) => void;
}

/** An open door of the daemon: TLS on a socket of ours. Disposing it leaves its connections alone. */
export class Listener implements Disposable {
  /** "unix:PATH" or "HOST:PORT", with the port that the kernel gave when 0 was asked for. */
  readonly name: string;
  readonly #server: Server;
  readonly #withdraw: () => void;

  private constructor(name: string, server: Server, withdraw: () => void) {
    this.name = name;
    this.#server = server;
    this.#withdraw = withdraw;
  }

  /** Listen on a Unix socket; the lock of the daemon must be held. @throws Refusal */
  static async onUnixSocket(path: string, setting: ListenerSetting): Promise<Listener> {
    const place = await prepareSocketPlace(path);
    const server = createTlsServer("unix", setting);
    await listen(server, path, () => server.listen({ path: place.temporaryPath }));
    try {
      return new Listener(`unix:${path}`, server, publishSocket(place));
    } catch (cause) {
      server.close();
      throw new Refusal(`Cannot listen on ${path}: ${inWords(cause)}`, { cause });
    }
  }

  /** Listen on TCP. @throws Refusal when the port is in use, or the address is not of this host */
  static async onTcp({ host, port }: ListenAddress, setting: ListenerSetting): Promise<Listener> {
    const server = createTlsServer("tcp", setting);
    const shown = host.includes(":") ? `[${host}]` : host;
    await listen(server, `${shown}:${port}`, () => server.listen({ host, port }));
    const address = server.address();
    const given = typeof address === "object" ? (address?.port ?? port) : port;
    return new Listener(`${shown}:${given}`, server, () => undefined);
  }

  /** Use other certificates for the connections that come. */
  reload(files: TlsFiles): void {
    this.#server.setSecureContext(toContextOptions(files));
  }

  [Symbol.dispose](): void {
    this.#withdraw();
    this.#server.close();
  }
}

async function listen(server: Server, name: string, start: () => void): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  try {
    start();
    // Rejects with what "error" tells.
    await once(server, "listening", { signal });
  } catch (cause) {
    throw new Refusal(`Cannot listen on ${name}: ${inWords(cause)}`, { cause });
  } finally {
    controller.abort();
  }
}

function createTlsServer(kind: ListenerKind, setting: ListenerSetting): Server {
  const { tls, callers, log, accept } = setting;
  const logRefusal = createRefusalLog(log, kind);
  const server = createServer({ ...toTlsOptions(tls), noDelay: true });
  server.maxConnections = maxConnections;
  server.on("secureConnection", (socket) => {
    // A connection that breaks is closed, which its calls see; no error may end the daemon.
    socket.on("error", () => undefined);
    const certificate = socket.getPeerX509Certificate();
    if (!socket.authorized || certificate === undefined || socket.alpnProtocol !== "h2") {
      logRefusal(socket, "it does not speak HTTP/2");
      socket.destroy();
      return;
    }
    const caller = readCaller(certificate.raw, callers);
    if (caller.kind === "refused") logRefusal(socket, caller.why);
    accept({ socket, listener: kind, caller });
  });
  server.on("tlsClientError", (error, socket) => {
    logRefusal(socket, whyUnauthorized(socket) ?? error.message);
    socket.destroy();
  });
  server.on("drop", () => logRefusal(undefined, `${maxConnections} connections are open`));
  // accept(2) fails when descriptors run out; the daemon goes on (fault 27).
  server.on("error", (err) => log.error({ err, listener: kind }, "listener failed"));
  return server;
}

/** What TLS had against the certificate: the error alone is ECONNRESET (fault 84). */
function whyUnauthorized({ authorizationError }: TLSSocket): string | undefined {
  // Typed as an error, and at run time also a code such as "CERT_HAS_EXPIRED", or null.
  const why: unknown = authorizationError;
  if (why instanceof Error) return why.message;
  return typeof why === "string" ? why : undefined;
}
