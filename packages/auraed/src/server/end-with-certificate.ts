import type { TLSSocket } from "node:tls";
import type { Caller } from "../access/caller.ts";

/** The longest that a timer of Node can wait: 2^31 - 1 ms, 24.8 days. */
const maxTimerMs = 2_147_483_647;

/**
 * Cut a connection off when its certificate ends, and with it streams that were opened in time. Its
 * age bounds new calls only.
 */
export function endWithCertificate(socket: TLSSocket, caller: Caller): void {
  if (caller.kind !== "known") return;
  const endsAt = caller.certificate.notAfter.getTime();

  let timer = arm();
  socket.once("close", () => clearTimeout(timer));

  function arm(): NodeJS.Timeout {
    const leftMs = Math.max(0, endsAt - Date.now()) + 1;
    return setTimeout(check, Math.min(leftMs, maxTimerMs)).unref();
  }
  function check(): void {
    // By the wall clock, as certificates go; timers do not follow when it jumps.
    if (Date.now() > endsAt) socket.destroy();
    else timer = arm();
  }
}
