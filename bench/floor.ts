import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { Work } from "./rounds.ts";

/** Native spawning of other programs, timed where it happens. */
export interface Floor extends AsyncDisposable {
  /** Spawn a program natively and wait for its end. */
  spawning(name: string, command: readonly string[]): Work;
}

/** Compile the program that spawns. */
export async function openFloor(): Promise<Floor> {
  const directory = await mkdtemp("/tmp/aurae-floor-");
  const program = `${directory}/floor`;
  execFileSync("gcc", ["-O2", "-o", program, `${import.meta.dirname}/floor.c`], {
    stdio: "inherit",
  });

  return {
    spawning: (name, command) => ({
      name,
      command: command.join(" "),
      warmUp: 0,
      async times(count) {
        const child = spawn(program, [String(count), ...command], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        const lines = (await text(child.stdout)).trim().split("\n");
        if (lines.length !== count) throw new Error(`Cannot spawn ${command.join(" ")}: see above`);
        return lines.map((line) => Number(line) / 1e6);
      },
    }),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}
