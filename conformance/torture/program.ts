import { numberedWriter } from "../writer/numbered-writer.ts";
import type { Random } from "./random.ts";

/** What runs in a cell, and what is known of it beforehand. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  /** How it ends when nobody ends it; undefined: it does not. */
  readonly end: string | undefined;
  /** How it may end when it is stopped. */
  readonly stopped: readonly string[];
  /** It writes numbered lines: so many on each channel, 0 for as long as it runs. */
  readonly lines: number | undefined;
  /** The most processes that it ever has. */
  readonly processes: number;
  /** It leaves children behind, so its tree is alive when it has ended. */
  readonly leavesChildren: boolean;
}

const [sigkill, sigterm] = [9, 15];
const killed = ["ABORTED signal 15", "ABORTED signal 9"];
/** One that ignores SIGTERM may have had no time to say so. */
const shell = { args: [], lines: undefined, leavesChildren: false, stopped: killed };

export function drawProgram(random: Random): Program {
  const kind = random.weighted({
    ...{ true: 4, exit: 3, signal: 3, sleeper: 3, deaf: 2, forker: 2, leaver: 2 },
    ...{ writer: 10, endless: 6, flood: 1 },
  });
  const code = random.below(256);
  const end = random.isBelow(70) ? code : -random.pick([sigkill, sigterm, 10, 12]);
  switch (kind) {
    case "true":
      return { ...shell, command: "true", end: "EXITED 0", processes: 1 };
    case "exit":
      return { ...shell, command: `exit ${code}`, end: `EXITED ${code}`, processes: 1 };
    case "signal": {
      const signal = random.pick([1, 2, 3, 6, sigkill, 10, 11, 13, sigterm, 34, 64]);
      const own = `SIGNALED signal ${signal}`;
      return { ...shell, command: `kill -${signal} $$`, end: own, processes: 1 };
    }
    case "sleeper":
      return { ...shell, command: "exec sleep 100000", end: undefined, processes: 1 };
    case "deaf":
      return { ...shell, command: "trap '' TERM; sleep 100000", end: undefined, processes: 2 };
    case "forker":
      return {
        ...shell,
        command: "sleep 100000 & sleep 100000 & sleep 100000 & wait",
        end: undefined,
        processes: 4,
      };
    case "leaver": {
      const command = `sleep 100000 & (sleep 100000 &); exit ${code}`;
      const leaves = { leavesChildren: true, end: `EXITED ${code}`, processes: 4 };
      return { ...shell, ...leaves, command };
    }
    case "writer":
      return writer({ lines: 1 + random.below(3000), paceUs: random.below(200), end });
    case "flood":
      return writer({ lines: 20_000 + random.below(30_000), end });
    case "endless":
      return writer({ paceUs: 2000 + random.below(20_000), end, isDeaf: random.isBelow(30) });
    default:
      return kind satisfies never;
  }
}

function writer(writing: NonNullable<Parameters<typeof numberedWriter>[0]>): Program {
  const { end = 0, lines = 0 } = writing;
  const own = end < 0 ? `SIGNALED signal ${-end}` : `EXITED ${end}`;
  const told = end < 0 ? `ABORTED signal ${-end}` : `ABORTED ${end}`;
  return {
    ...numberedWriter(writing),
    end: lines === 0 ? undefined : own,
    stopped: [...killed, told],
    lines,
    processes: 1,
    leavesChildren: false,
  };
}
