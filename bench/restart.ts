import { type Daemon, spawnDaemon, startDaemon } from "@aurae/conformance/daemon";
import { connectTo } from "./connect-to.ts";
import { quantile } from "./rounds.ts";

/** How long a daemon that was killed takes until it serves again, with so many cells that run on. */

const counts = [0, 100, 500] as const;
/** Seconds that are asked for, by the number of cells. */
const atMost = new Map<number, number>([
  [100, 1],
  [500, 3],
]);
const rounds = 5;
/** So many cells are made at once. */
const width = 16;

await using first = await startDaemon({ below: "/dev/shm", cellsStay: true });
let daemon: Daemon = first;
let cells = 0;

console.log(
  "| cells | killed, until it serves: p50 ms | ÷ none | at most ms | |\n|---|---|---|---|---|",
);
let alone = Number.NaN;
for (const count of counts) {
  await allocateUpTo(count);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await restart());
  const median = quantile(times, 0.5);
  if (count === 0) alone = median;
  const most = (atMost.get(count) ?? Number.POSITIVE_INFINITY) * 1000;
  const verdict = Number.isFinite(most) ? `${most} | ${median <= most ? "ok" : "over"}` : " | ";
  console.log(`| ${count} | ${median.toFixed(0)} | ${(median / alone).toFixed(2)} | ${verdict} |`);
}
await freeAll();
await daemon[Symbol.asyncDispose]();

async function restart(): Promise<number> {
  process.kill(daemon.pid, "SIGKILL");
  await daemon.ended;
  const begun = performance.now();
  daemon = await spawnDaemon(first.directory);
  return performance.now() - begun;
}

/** Each runs a program, as cells do. */
async function allocateUpTo(count: number): Promise<void> {
  await using node = await connectTo(daemon);
  await inParallel(async () => {
    if (cells >= count) return false;
    cells += 1;
    const cell = await node.cells.allocate({ name: `restart-${cells}` });
    await cell.start({ name: "sleep", command: ["/bin/sleep", "3600"] });
    return true;
  });
}

async function freeAll(): Promise<void> {
  await using node = await connectTo(daemon);
  await inParallel(async () => {
    if (cells === 0) return false;
    cells -= 1;
    await node.cell(`restart-${cells + 1}`).free();
    return true;
  });
}

/** Do it again and again, so many at once, until it says that nothing is left to do. */
async function inParallel(next: () => Promise<boolean>): Promise<void> {
  async function goOn(): Promise<void> {
    while (await next());
  }
  await Promise.all(Array.from({ length: width }, goOn));
}
