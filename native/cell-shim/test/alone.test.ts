import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { allNamespaces, flag, Reader, readRecord, type } from "./frames.ts";
import { type Cell, skip, useNode } from "./rig.ts";

/** AURAE_LINES=10000000 is what is promised. */
const lines = process.env["AURAE_LINES"] ?? "1000000";
const all = flag.exited | flag.empty | flag.closed;

/** What a process has of memory that nobody shares, kilobytes. */
function privateOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const sizes = [...text.matchAll(/^Private_\w+: +(\d+) kB$/gm)].map(([, size]) => Number(size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** How many runs a supervisor has open. */
async function openRuns(cell: Cell): Promise<number> {
  const state = new Reader((await cell.connection.ask(type.state, Buffer.alloc(0))).payload);
  state.i32();
  state.u64();
  state.i32();
  state.u64();
  return state.u32();
}

suite("a supervisor that nobody listens to", { skip }, () => {
  const node = useNode();

  test("needs no more memory, however much is written and however many end", async () => {
    await using cell = node().cell();
    await cell.enclose(allNamespaces, 1n << 22n, 2);
    const [go, also, done] = ["go", "also", "done"].map((name) => join(cell.directory, name));
    assert.ok(go && also && done);
    execFileSync("mkfifo", [go, also, done]);
    const many = "i=0; while [ $i -lt 200 ]; do (:) & i=$((i + 1)); done; wait";
    // It has done all of it once: what it ever needs, it has.
    const warm = await cell.sh("warm", `seq 100000; ${many}`);
    await cell.connection.run(warm.run, all);
    await cell.sh("a", `read x <${go}; seq ${lines}; ${many}; echo >${done}`);
    const short = await cell.sh("b", `read x <${also}; exit 6`);
    const before = privateOf(cell.supervisor);
    await cell.connection[Symbol.asyncDispose]();

    for (const fifo of [also, go]) await writeFile(fifo, "x\n");
    await readFile(done);
    await cell.reconnect();

    // What is open still is told as it closes; what has closed is in its record.
    while ((await openRuns(cell)) > 0)
      await cell.connection.take("a run", (frame) => frame.type === type.run);
    const after = privateOf(cell.supervisor);
    assert.ok(after <= 150, `${after} kB`);
    assert.ok(after <= before + 8, `${before} kB before, ${after} kB after`);
    const last = readdirSync(join(cell.logs, "a")).toSorted().at(-1) ?? "";
    const text = readFileSync(join(cell.logs, "a", last), "utf8");
    assert.ok(text.endsWith(`stdout F ${lines}\n`));
    const record = readFileSync(join(cell.directory, "runs", `${short.run}`)).subarray(16);
    assert.equal(readRecord(all, record).status, 6);
  });
});
