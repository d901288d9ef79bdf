import { writeSync } from "node:fs";
import { Counts } from "./counts.ts";
import { fuzz } from "./fuzz.ts";
import { Seed } from "./seed.ts";

/**
 * `make torture SECONDS=… SEED=…`: see docs/torture.md. What is wrong goes to stderr, with the seed that
 * does it again; the last line of stdout is JSON.
 */

const seconds = numberFrom("SECONDS") ?? 60;
const firstSeed = numberFrom("SEED") ?? Math.floor(Math.random() * 1_000_000_000);
const workers = 2;
/** The same for every length of a torture, or a seed would not do the same again. */
const roundsOfSeed = 20;

const counts = new Counts();
const interrupted = new AbortController();
// Asked to end, it ends what it has begun: daemons and cells would be left.
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => interrupted.abort());
const signal = AbortSignal.any([interrupted.signal, AbortSignal.timeout(seconds * 1000)]);

say(`Torture for ${seconds} s, seeds from ${firstSeed}`);
const begun = performance.now();
let next = firstSeed;
const [fuzzed] = await Promise.all([
  fuzz(seconds, firstSeed),
  ...Array.from({ length: workers }, work),
]);
const took = Math.round((performance.now() - begun) / 1000);
const sum = { seed: firstSeed, seconds: took, ...counts.toJSON(), ...fuzzed };
writeSync(1, `${JSON.stringify(sum)}\n`);
process.exit(counts.isClean && fuzzed.crashes === 0 ? 0 : 1);

async function work(): Promise<void> {
  while (!signal.aborted) {
    const seed = next++;
    const isFine = await new Seed(seed, counts, say).run(roundsOfSeed, signal);
    if (!isFine) say(`To see it again: make torture SEED=${seed}`);
  }
}

function numberFrom(name: string): number | undefined {
  const text = process.env[name];
  if (text === undefined || text === "") return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${name} is no number: ${text}`);
  return Number(text);
}

function say(line: string): void {
  writeSync(2, `${line}\n`);
}
