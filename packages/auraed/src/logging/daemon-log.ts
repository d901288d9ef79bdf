import { isatty } from "node:tty";
import type { LogHistory } from "@aurae/domain/observe";
import { destination, type Logger, pino, stdTimeFunctions } from "pino";
import type { LogLevel } from "../config/log-level.ts";
import { toPrettyLine } from "./pretty-line.ts";
import { openStderr } from "./stderr.ts";

const stderr = 2;

/** What waits for a stderr that nobody reads; beyond it records are dropped there, not in the history. */
const maxWaitingBytes = 4 * 1024 ** 2;

/** Lines of so long are written at once: a write for each costs more than all else of a short call. */
const gatherMs = 20;
const gatherBytes = 8 * 1024;

/** How long the last words may take, when nobody reads them. */
const flushTimeoutMs = 500;

/** What the daemon says of itself: JSON lines on stderr, and in the history that clients read. */
export interface DaemonLog {
  readonly logger: Logger;
  /** Write what waits, at once: for the last words. */
  flush(): void;
}

/** Log from here on. A stderr that is slow or gone stops nobody. */
export function createDaemonLog(level: LogLevel, history: LogHistory): DaemonLog {
  let isGivenUp = false;
  let givesUpAt = Number.POSITIVE_INFINITY;
  const output = destination({
    ...{ fd: openStderr(), sync: false, minLength: gatherBytes, maxLength: maxWaitingBytes },
    // A pipe that is full: tried again, but at the end not for ever.
    retryEAGAIN: () => performance.now() < givesUpAt,
  });
  output.on("error", () => undefined);
  let waitingBytes = 0;
  output.on("write", (bytes) => {
    waitingBytes -= bytes;
  });
  output.on("drop", (line: string) => {
    waitingBytes -= Buffer.byteLength(line);
  });
  let isDue = false;
  function flushSoon(): void {
    if (isDue) return;
    isDue = true;
    setTimeout(() => {
      isDue = false;
      if (!isGivenUp) output.flush();
    }, gatherMs);
  }
  // While a write is held up, a flush does nothing: what came meanwhile would wait for the next record.
  output.on("drain", () => {
    if (waitingBytes > 0) flushSoon();
  });
  const toOutput = isatty(stderr) ? toPrettyLine : (line: string) => line;

  const logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write(line: string) {
        history.append({ atNs: BigInt(Date.now()) * 1_000_000n, text: line.trimEnd() });
        if (isGivenUp) return;
        const text = toOutput(line);
        waitingBytes += Buffer.byteLength(text);
        output.write(text);
        flushSoon();
      },
    },
  );
  return {
    logger,
    flush() {
      givesUpAt = performance.now() + flushTimeoutMs;
      try {
        output.flushSync();
      } catch {
        // Nobody reads it, and there is nowhere else to say so. The history has it. Left open, it would
        // be flushed again when the process exits, and throw there.
        isGivenUp = true;
        output.destroy();
      }
    },
  };
}
