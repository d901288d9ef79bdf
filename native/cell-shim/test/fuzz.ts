/**
 * Runs the fuzz targets one after another: fuzz.ts DIRECTORY SECONDS|corpus TARGET…. Prints a line for each,
 * and as its last line the sums as JSON. What ended a target lies in DIRECTORY, to be replayed by
 * `DIRECTORY/<target>_fuzz FILE`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";

interface Outcome {
  readonly executions: number;
  readonly crashes: number;
  readonly hangs: number;
  readonly seconds: number;
}

/** So many executions beyond the corpus are quick, and find what is easy to find. */
const fewExecutions = 20_000;
const hangSeconds = 20;

const [directory = "", time = "", ...targets] = process.argv.slice(2);
const kept = join(import.meta.dirname, "../fuzz/corpus");

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** What libFuzzer is told: its first directory is where it keeps what is new. */
function optionsOf(target: string): string[] {
  const isReplay = time === "corpus";
  const found = join(directory, isReplay ? "replayed" : "corpus", target);
  // Always the same executions: what the last replay has found is not kept.
  if (isReplay) rmSync(found, { recursive: true, force: true });
  mkdirSync(found, { recursive: true });
  const corpus = join(kept, target);
  const runs = readdirSync(corpus).length + fewExecutions;
  const seconds = Math.max(1, Math.round(Number(time) / targets.length));
  return [
    `-artifact_prefix=${join(directory, `${target}-`)}`,
    `-timeout=${hangSeconds}`,
    `-seed=${process.env["SEED"] ?? "1"}`,
    isReplay ? `-runs=${runs}` : `-max_total_time=${seconds}`,
    "-print_final_stats=1",
    "-detect_leaks=0",
    "-max_len=8192",
    found,
    corpus,
  ];
}

async function run(target: string): Promise<Outcome> {
  const began = performance.now();
  const fuzzer = spawn(join(directory, `${target}_fuzz`), optionsOf(target), {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ASAN_OPTIONS: "quarantine_size_mb=8" },
  });
  const exit = once(fuzzer, "exit");
  const output = await text(fuzzer.stderr);
  await exit;

  const found = /number_of_executed_units: (\d+)/.exec(output)?.[1];
  const isHang = output.includes("ERROR: libFuzzer: timeout");
  const failed = fuzzer.exitCode !== 0;
  if (failed) print(output);
  return {
    executions: Number(found ?? 0),
    crashes: failed && !isHang ? 1 : 0,
    hangs: isHang ? 1 : 0,
    seconds: (performance.now() - began) / 1000,
  };
}

const sum = { executions: 0, crashes: 0, hangs: 0, seconds: 0 };
for (const target of targets) {
  const { executions, crashes, hangs, seconds } = await run(target);
  print(
    `${target.padEnd(10)} ${executions} executions, ${Math.round(executions / seconds)} a second, ` +
      `${crashes} crashes, ${hangs} hangs`,
  );
  sum.executions += executions;
  sum.crashes += crashes;
  sum.hangs += hangs;
  sum.seconds += seconds;
}
print(JSON.stringify({ ...sum, seconds: Math.round(sum.seconds) }));
process.exitCode = sum.crashes + sum.hangs > 0 ? 1 : 0;
