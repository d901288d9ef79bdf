import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import type { Node } from "@aurae/client";
import { startDaemon } from "@aurae/conformance/daemon";
import { connectTo } from "./connect-to.ts";
import { openFloor } from "./floor.ts";
import { cpuMs, privateKib, residentKib, shimOf } from "./process.ts";
import { type Measured, measure, quantile, ratio, timed } from "./rounds.ts";

/** What Start, a whole cell and their memory cost, beside the kernel's floor in the same run. */

const unshare = ["unshare", "-muipnC", "-f", "--mount-proc", "/bin/true"];
const { values } = parseArgs({
  options: { rounds: { type: "string", default: "10" }, count: { type: "string", default: "30" } },
});

// In memory, as /run is.
await using daemon = await startDaemon({ below: "/dev/shm" });
const residentAtRest = residentKib(daemon.pid);
await using node = await connectTo(daemon);
await using cell = await node.cells.allocate({ name: "bench" });
await using floor = await openFloor();
let made = 0;

const spawned = floor.spawning("posix_spawn /bin/true", ["/bin/true"]);
const unshared = floor.spawning("unshare, no cgroups", unshare);
const started = timed(
  {
    name: "Start, Wait in a cell",
    command: "node.cell('bench').start(…), .wait(…)",
    warmUp: 300,
  },
  async () => {
    await cell.start({ name: "true", command: ["/bin/true"] });
    await cell.wait("true");
  },
);
const allocated = timed(
  {
    name: "Allocate, Start, Wait, Free",
    command: "node.cells.allocate(…), …, .free()",
    warmUp: 60,
  },
  async () => {
    made += 1;
    const fresh = await node.cells.allocate({
      name: `bench-${made}`,
      limits: { memory: { max: "64M" }, pids: 64 },
    });
    await fresh.start({ name: "true", command: ["/bin/true"] });
    await fresh.wait("true");
    await fresh.free();
  },
);

const loadBefore = load();
const measured = await measure(
  [spawned, unshared, started, allocated],
  Number(values.rounds),
  Number(values.count),
  () => cpuMs(daemon.pid),
);
const [spawn, bare, start, whole] = measured as [Measured, Measured, Measured, Measured];
const memory = await memoryOfCell(node);

console.log(
  `${values.rounds} rounds of ${values.count}, interleaved, after ${started.warmUp} starts and ${allocated.warmUp} cells to warm up`,
);
console.log(`load ${loadBefore} before, ${load()} after; Node ${process.version}\n`);
console.log("| work | p50 ms | p90 ms | daemon's CPU ms | command |\n|---|---|---|---|---|");
for (const { work, medians, p90, daemonMs } of measured) {
  const cpu = work.warmUp > 0 ? daemonMs.toFixed(2) : "";
  const p50 = quantile(medians, 0.5).toFixed(2);
  console.log(`| ${work.name} | ${p50} | ${p90.toFixed(2)} | ${cpu} | \`${work.command}\` |`);
}
console.log("\n| what | is | at most | |\n|---|---|---|---|");
row("Start, Wait ÷ posix_spawn", ratio(start, spawn), 3.5, "×");
row("Allocate, Start, Wait, Free ÷ unshare", ratio(whole, bare), 2.8, "×");
row("supervisor, private", memory.supervisor, 150 - memory.init, "KiB");
row("supervisor and init, private", memory.supervisor + memory.init, 150, "KiB");
row("daemon at rest, resident", residentAtRest / 1024, 110, "MiB");

function row(what: string, is: number, most: number, unit: string): void {
  const digits = unit === "KiB" ? 0 : 2;
  console.log(
    `| ${what} | ${is.toFixed(digits)} ${unit} | ${most} ${unit} | ${is <= most ? "ok" : "over"} |`,
  );
}

/** The load of the last minute: on a busy machine CPU time says more than the clock. */
function load(): string {
  return (loadavg()[0] ?? Number.NaN).toFixed(1);
}

async function memoryOfCell(
  from: Node,
): Promise<{ readonly supervisor: number; readonly init: number }> {
  await using held = await from.cells.allocate({ name: "bench-memory" });
  const { pid } = await held.start({ name: "sleep", command: ["/bin/sleep", "1000"] });
  const { supervisor, init } = shimOf(pid);
  return { supervisor: privateKib(supervisor), init: privateKib(init) };
}
