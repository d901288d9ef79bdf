import { constants, fstatSync, openSync } from "node:fs";

const stderr = 2;

/**
 * A descriptor of what stderr is that never blocks: a write to a full pipe would hold a thread, and
 * with it the end of the process, for as long as nobody reads. A pipe is opened anew, for O_NONBLOCK
 * belongs to the open file, which our starter shares; a socket (of the journal) cannot be, and gets the
 * flag from Node, as it does in every program that uses `process.stderr`.
 */
export function openStderr(): number {
  try {
    const status = fstatSync(stderr);
    if (status.isSocket()) {
      // Its getter makes a stream of it, which sets the flag.
      process.stderr.on("error", () => undefined);
      return stderr;
    }
    if (!status.isFIFO()) return stderr;
    return openSync("/proc/self/fd/2", constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // Its reader is gone, or it was closed: then no write waits.
    return stderr;
  }
}
