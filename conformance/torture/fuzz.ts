import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

/** What the fuzz targets of the shim did. */
export interface Fuzzed {
  readonly fuzzExecutions: number;
  readonly crashes: number;
}

const shim = `${import.meta.dirname}/../../native/cell-shim`;

/**
 * Fuzz the parsers of the shim for so long. It steps back for the daemons, which have to be fast to be
 * killed often; what it says of a crash goes to stderr.
 */
export async function fuzz(seconds: number, seed: number): Promise<Fuzzed> {
  const make = ["make", "-s", "-C", shim, "fuzz", `SECONDS=${seconds}`];
  const env = { ...process.env, SEED: String(seed) };
  const child = spawn("nice", ["-n", "5", ...make], { stdio: ["ignore", "pipe", "inherit"], env });
  const ended = once(child, "exit");
  const output = await text(child.stdout);
  await ended;
  const sum = readSum(output.trim().split("\n").at(-1) ?? "");
  if (sum !== undefined && (child.exitCode === 0 || sum.crashes > 0)) return sum;
  throw new Error(`The fuzz targets ended with ${child.exitCode ?? child.signalCode}: ${output}`);
}

/** Its last line. A hang is as bad as a crash. */
function readSum(line: string): Fuzzed | undefined {
  const found = /^\{.*"executions":(\d+).*\}$/.exec(line)?.[1];
  if (found === undefined) return undefined;
  const [crashes, hangs] = ["crashes", "hangs"].map((name) =>
    Number(new RegExp(`"${name}":(\\d+)`).exec(line)?.[1] ?? 0),
  );
  return { fuzzExecutions: Number(found), crashes: (crashes ?? 0) + (hangs ?? 0) };
}
