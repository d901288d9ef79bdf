import {
  appendFileSync,
  closeSync,
  constants,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import type { FailpointName } from "../names.ts";
import type { failpoint as none } from "../none.ts";
import { Plan } from "./plan.ts";

/** The file that says what to do at which point; named by AURAE_FAILPOINTS. */
const path = process.env["AURAE_FAILPOINTS"];
let plan = new Plan("");
let version = "";

/**
 * A failpoint of the test build. The plan is read anew at each one, so that a daemon can be armed while
 * it runs; a new file begins its counts anew. All of it is synchronous: nothing else of the daemon's
 * JavaScript runs meanwhile.
 */
export const failpoint: typeof none = (name: FailpointName) => {
  if (path === undefined) return;
  readAnew(path);
  const action = plan.next(name);
  switch (action.kind) {
    case "off":
      return;
    case "kill":
      process.kill(process.pid, "SIGKILL");
      // The signal is on its way to this very thread: nothing after this runs.
      for (;;);
    case "error":
      throw Object.assign(new Error(`failpoint ${name}`), { code: action.code });
    case "panic":
      return queueMicrotask(() => {
        throw new Error(`panic at failpoint ${name}`);
      });
    case "pause":
      return pause(path, name);
    case "print":
      return appendFileSync(`${path}.printed`, `${name}\n`);
    default:
      action satisfies never;
  }
};

function readAnew(file: string): void {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  const now = stat === undefined ? "" : `${stat.ino} ${stat.mtimeNs}`;
  if (now === version) return;
  version = now;
  plan = new Plan(stat === undefined ? "" : readFileSync(file, "utf8"));
}

/**
 * Tell who holds `<file>.reached`, and stand still until a byte comes through `<file>.go`. The test has
 * both named pipes open: when it dies, `go` ends, and nobody is left standing.
 */
function pause(file: string, name: string): void {
  const reached = openSync(`${file}.reached`, constants.O_WRONLY | constants.O_NONBLOCK);
  const go = openSync(`${file}.go`, constants.O_RDONLY);
  writeSync(reached, `${name}\n`);
  closeSync(reached);
  readSync(go, Buffer.alloc(1));
  closeSync(go);
}
