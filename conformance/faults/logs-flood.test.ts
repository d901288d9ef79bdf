import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type LogItem, Observe } from "@aurae/api/observe";
import { CellService } from "@aurae/api/runtime";
import { WireClient } from "../client.ts";
import { type Daemon, needsRoot as skip, startDaemon } from "../daemon.ts";
import { parentOf } from "../host.ts";
import { LineCheck } from "../writer/line-check.ts";
import { numberedWriter } from "../writer/numbered-writer.ts";
import { memoryOf } from "./kernel-says.ts";

/** Output that comes faster than anybody reads it, and goes into segment after segment. */

const kibibyte = 1024;
const segmentBytes = 64 * kibibyte;
const segmentsKept = 40;
/** `make torture` writes more of them. */
const lines = Number(process.env["AURAE_LINES"] ?? 3500);

let daemon: Daemon;
let client: WireClient;

before(async () => {
  if (skip) return;
  const config = `[logs]\nsegment_bytes = ${segmentBytes}\nsegments_kept = ${segmentsKept}\n`;
  daemon = await startDaemon({ config });
  client = new WireClient(daemon);
  await client.allocate({ name: "flooded" });
  await client.allocate({ name: "other" });
});

after(async () => {
  client?.[Symbol.dispose]();
  await daemon?.[Symbol.asyncDispose]();
});

const flood = { cellName: "flooded", executableName: "flood" };

/** Run a command, and look on until it has ended. @returns how it ended, and how often there was a look */
async function watched(command: string, look: (supervisor: number) => Promise<void>) {
  const executable = { name: "flood", command, cellName: "flooded" };
  const { run, pid } = await client.call(CellService.method.start, { executable });
  const supervisor = parentOf(Number(pid));
  let isRunning = true;
  const waited = client.call(CellService.method.wait, { ...flood, run });
  const ended = waited.finally(() => {
    isRunning = false;
  });
  for (; isRunning; await look(supervisor));
  return { run, supervisor, end: (await ended).executables[0]?.end };
}

for (const [what, command] of [
  ["of bytes", "head -c 200M /dev/zero"],
  ["of lines", "yes 'a line of some length, as programs write them' | head -c 100M"],
] as const) {
  test(`a flood ${what} waits for the log, and another cell is served meanwhile (fault 49)`, {
    skip,
  }, async () => {
    const memory: number[] = [];
    const daemonMemory = memoryOf(daemon.pid);

    const { run, supervisor, end } = await watched(`${command}; echo; echo end`, async (pid) => {
      memory.push(memoryOf(pid, "RssAnon"));
      assert.deepEqual((await client.run("other", "echo here")).lines, ["here"]);
    });

    assert.deepEqual([end?.exitCode, end?.linesDropped], [0, 0n]);
    const last = { ...flood, run, allChannels: true, tail: 1n };
    const items = await client.all(Observe.method.getSubProcessStream, last);
    assert.equal(items.at(-1)?.line, "end");
    // Its two buffers, and a line that is not whole of each pipe.
    assert.ok(Math.max(...memory) < 400 * kibibyte, `the supervisor had ${Math.max(...memory)}`);
    const after = memoryOf(supervisor, "RssAnon");
    assert.ok(after < 150 * kibibyte, `the supervisor has ${after}`);
    assert.ok(memoryOf(daemon.pid) - daemonMemory < 20 * kibibyte ** 2);
    const sizes = sizesOf(run);
    assert.equal(sizes.length, segmentsKept);
    assert.ok(sizes.every((size) => size <= segmentBytes));
  });
}

/** Of the segments of a run. */
function sizesOf(run: bigint): readonly number[] {
  const logs = join(daemon.directory, "lib", "logs");
  const files = readdirSync(logs, { recursive: true, encoding: "utf8" });
  const segments = files.filter((name) => name.includes(`/flood/${run}.log`));
  return segments.map((name) => statSync(join(logs, name)).size);
}

/** Check a stream to its end, and call back at every so many items. */
async function follow(run: bigint, each = 0, callback = () => {}): Promise<LineCheck> {
  const check = new LineCheck();
  const request = { ...flood, run, allChannels: true };
  const stream = client.open(Observe.method.getSubProcessStream, request);
  let count = 0;
  for await (const item of stream as AsyncIterable<LogItem>) {
    check.take(item);
    count += 1;
    if (each > 0 && count % each === 0) callback();
  }
  return check;
}

test("who reads from the start, and who comes later, gets each line once (fault 57)", {
  skip,
}, async () => {
  const { command, args } = numberedWriter({ lines });
  const executable = { name: "flood", cellName: "flooded", command, args: [...args] };
  const { run } = await client.call(CellService.method.start, { executable });

  const late: Promise<LineCheck>[] = [];
  const first = await follow(run, lines / 2, () => late.push(follow(run)));
  const checks = [first, ...(await Promise.all(late)), await follow(run)];

  assert.ok(sizesOf(run).length > 5);
  assert.equal(checks.length, 6);
  const whole = { lines: 2 * lines, lost: 0, doubled: 0, foreign: 0, ended: 2 };
  for (const { count } of checks) assert.deepEqual(count, whole);
});
