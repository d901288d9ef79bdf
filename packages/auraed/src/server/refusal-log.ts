import type { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import type { ListenerKind } from "./connection.ts";

/** Lines of refused connections in a window; what is more is counted. */
const maxLines = 20;
const windowMs = 10_000;

/** Log connections that were refused; a flood of them becomes a number, never silence. */
export function createRefusalLog(
  log: Logger,
  listener: ListenerKind,
): (socket: TLSSocket | undefined, why: string) => void {
  let windowEndsAt = 0;
  let lines = 0;
  let unsaid = 0;

  return (socket, why) => {
    const now = performance.now();
    if (now >= windowEndsAt) {
      if (unsaid > 0) log.warn({ listener, connections: unsaid }, "more connections refused");
      windowEndsAt = now + windowMs;
      lines = 0;
      unsaid = 0;
    }
    lines += 1;
    if (lines > maxLines) {
      unsaid += 1;
      return;
    }
    const { remoteAddress, remotePort } = socket ?? {};
    const peer = remoteAddress === undefined ? {} : { peer: `${remoteAddress}:${remotePort}` };
    log.warn({ listener, ...peer, why }, "connection refused");
  };
}
