import type { DaemonLog } from "../logging/daemon-log.ts";
import { errnoOf } from "./in-words.ts";
import { exitCodes } from "./refusal.ts";

/** What an emitter without a listener may throw, with nothing of ours half done (fault 15). */
const harmless: ReadonlySet<string | undefined> = new Set([
  ...["ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT"],
  ...["EMFILE", "ENFILE", "EAGAIN", "ENOMEM"],
]);

/**
 * Catch what nobody has caught. A promise that failed unheard, or a connection that broke, is
 * logged; after any other error the state is not known, so the daemon ends. Cells go on, and the
 * next daemon adopts them.
 */
export function catchTheRest(log: DaemonLog): void {
  process.on("unhandledRejection", (cause) => {
    log.logger.error({ err: cause }, "unhandled rejection");
  });
  process.on("uncaughtException", (cause) => {
    const goesOn = harmless.has(errnoOf(cause));
    log.logger.error(
      { err: cause },
      goesOn ? "unhandled error" : "ending after an unhandled error",
    );
    if (goesOn) return;
    log.flush();
    process.exit(exitCodes.failed);
  });
}
