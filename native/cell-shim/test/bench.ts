/**
 * What the shim costs on this machine, with nothing of Aurae around it: times, memory and log speed. Not
 * a test: it prints, and judges nothing.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { allNamespaces, boot, flag } from "./frames.ts";
import { build, Cell, Node } from "./rig.ts";

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor(sorted.length / 2)] ?? Number.NaN).toFixed(3);
}

/** Private memory of a process, in KB. */
function privateMemory(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const found = [...text.matchAll(/^Private_(?:Clean|Dirty): +(\d+) kB/gm)];
  return found.reduce((sum, [, kilobytes]) => sum + Number(kilobytes), 0);
}

async function measureTimes(node: Node): Promise<void> {
  const encloses: number[] = [];
  const ends: number[] = [];
  for (let i = 0; i < 50; i++) {
    const cell = node.cell();
    let began = performance.now();
    await cell.enclose();
    encloses.push(performance.now() - began);
    began = performance.now();
    await cell.end();
    ends.push(performance.now() - began);
    await cell[Symbol.asyncDispose]();
    // The kernel takes a network namespace down for 40 ms, and stalls who makes one meanwhile.
    await setTimeout(60);
  }
  print(`ENCLOSE until ENCLOSED (with connect)  ${median(encloses)} ms`);
  print(`END until ENDED, nothing runs          ${median(ends)} ms`);

  await using cell = await Cell.open(node);
  cell.prepare("true");
  // Without Node, whose wake-ups take as long as half a start: see bench.c.
  const argv = [join(cell.directory, "s.sock"), cell.id, boot, "1000"];
  const text = execFileSync(join(build, "bench"), argv, { encoding: "utf8" });
  const us = JSON.parse(text) as Record<string, number>;
  const ratio = (us["closed"] ?? 0) / (us["waited"] ?? 1);
  print(`posix_spawn until exec, until waited   ${us["spawned"]}, ${us["waited"]} us`);
  print(`START until STARTED, until RUN closed  ${us["started"]}, ${us["closed"]} us`);
  print(`the same, quickest tenth               ${us["started10"]}, ${us["closed10"]} us`);
  print(`/bin/true, shim to posix_spawn         ${ratio.toFixed(2)}`);
  await cell.reconnect();
}

async function measureMemory(node: Node): Promise<void> {
  await using cell = await Cell.open(node);
  await cell.start("sleep", { argv: ["/bin/sleep", "100"] });
  print(
    `private memory, one run asleep         S ${privateMemory(cell.supervisor)} KB, I ${privateMemory(cell.init)} KB`,
  );
}

async function measureLogs(node: Node, name: string, script: string): Promise<void> {
  await using cell = node.cell();
  await cell.enclose(allNamespaces, 1n << 40n);
  const began = performance.now();
  const { run } = await cell.sh("flood", script);
  await cell.connection.run(run, flag.closed);
  const seconds = (performance.now() - began) / 1000;
  const ticks = readFileSync(`/proc/${cell.supervisor}/stat`, "utf8")
    .split(" ")
    .slice(13, 15)
    .map(Number);
  const bytes = statSync(file).size * 8;
  print(
    `${name}  ${(bytes / 1e6 / seconds).toFixed(0)} MB/s of payload, S ${ticks.join("+")} ticks, ` +
      `${privateMemory(cell.supervisor)} KB after`,
  );
}

mkdirSync("/dev/shm/aurae-bench", { recursive: true });
process.env["TMPDIR"] = "/dev/shm/aurae-bench";
const file = "/dev/shm/aurae-bench/lines";
const copy = `for i in 1 2 3 4 5 6 7 8; do dd if=${file} bs=64K 2>/dev/null; done`;
await using node = await Node.start();
await measureTimes(node);
await measureMemory(node);
writeFileSync(file, `${"x".repeat(100)}\n`.repeat(600_000));
await measureLogs(node, "64 KiB writes of 100-byte lines       ", copy);
writeFileSync(file, `${"x".repeat(1000)}\n`.repeat(60_000));
await measureLogs(node, "64 KiB writes of 1,000-byte lines     ", copy);
rmSync("/dev/shm/aurae-bench/lines");
