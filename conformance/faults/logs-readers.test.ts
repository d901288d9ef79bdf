import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { LogChannelType, type LogItem, Observe } from "@aurae/api/observe";
import { CellService } from "@aurae/api/runtime";
import { WireClient } from "../client.ts";
import { type Daemon, needsRoot as skip, startDaemon } from "../daemon.ts";
import { memoryOf, openIn, until } from "./kernel-says.ts";
import { type RawReader, RawReaders, stalled } from "./raw-readers.ts";

/** Readers that are slow, many, or gone: they cost little, and harm nobody. */

const megabyte = 1024 ** 2;
/** `make torture` has more of them. */
const disconnects = Number(process.env["AURAE_DISCONNECTS"] ?? 600);
const streamsAtOnce = 100;

let daemon: Daemon;
let client: WireClient;
let openAtFirst: string;

before(async () => {
  if (skip) return;
  const config = "[logs]\nsegment_bytes = 262144\nsegments_kept = 4\n";
  daemon = await startDaemon({ config });
  client = new WireClient(daemon);
  for (const name of ["read", "warm"]) await client.allocate({ name });
  // What is loaded at first use is not counted below.
  await client.run("warm", "seq 5000");
  openAtFirst = openIn(daemon.pid).join();
  execFileSync("mkfifo", [`${daemon.directory}/go`]);
});

after(async () => {
  client?.[Symbol.dispose]();
  await daemon?.[Symbol.asyncDispose]();
});

/** Start a program that goes on with `rest` when it is told to. @returns how its log is asked for */
async function start(first: string, rest: string) {
  const one = { cellName: "read", executableName: "main" };
  const command = `${first}; read line < ${daemon.directory}/go; ${rest}`;
  const executable = { name: "main", command, cellName: "read" };
  const { run } = await client.call(CellService.method.start, { executable });
  return { ...one, run, allChannels: true };
}

function go(): void {
  writeFileSync(`${daemon.directory}/go`, "\n");
}

/** Wait until nothing will be added to a log: then every stream ends, also that of an empty pipe. */
async function written(log: Awaited<ReturnType<typeof start>>): Promise<void> {
  const channelType = LogChannelType.CHANNEL_STDERR;
  const nothing = { ...log, allChannels: false, channelType, tail: 0n };
  await client.all(Observe.method.getSubProcessStream, nothing);
}

test("a slow reader costs little, and goes on where it was: with a gap after rotation (fault 53)", {
  skip,
}, async () => {
  const [first, last] = [3000, 100_000];
  const log = await start(`seq ${first}`, `seq ${first + 1} ${last}`);
  await using readers = await RawReaders.connect(daemon);
  const reader = readers.open(log);
  await stalled([reader]);
  const before = memoryOf(daemon.pid);

  go();
  await written(log);
  const grown = memoryOf(daemon.pid) - before;
  const items = await Array.fromAsync(reader.items());

  assert.ok(grown < 20 * megabyte, `the daemon grew by ${grown} bytes`);
  const gaps = items.filter(({ gap }) => gap !== undefined);
  assert.deepEqual([gaps.length, gaps[0]?.gap?.linesDropped], [1, 0n]);
  assert.ok((gaps[0]?.gap?.segmentsRemoved ?? 0n) > 0n);
  const at = items.findIndex(({ gap }) => gap !== undefined);
  // To the end of the segment that it was in.
  assertCounts(items.slice(0, at), 1, items[at - 1]?.line);
  assertCounts(items.slice(at + 1), Number(items[at + 1]?.line), `${last}`);
  assert.ok(at >= first);
});

test("a slow reader of a log that is kept misses nothing (fault 53)", { skip }, async () => {
  const log = await start("seq 3000", "seq 3001 12000");
  await using readers = await RawReaders.connect(daemon);
  const reader = readers.open(log);
  await stalled([reader]);

  go();
  await written(log);

  assertCounts(await Array.fromAsync(reader.items()), 1, "12000");
});

function assertCounts(
  items: readonly { readonly line: string }[],
  from: number,
  last: string | undefined,
): void {
  const lines = items.map(({ line }) => line);
  assert.deepEqual(
    lines,
    Array.from({ length: lines.length }, (_, i) => `${from + i}`),
  );
  assert.equal(lines.at(-1), last);
}

test("of a thousand readers half are stalled, and the others read on (fault 54)", {
  skip,
}, async () => {
  const log = await start("seq 5000", "echo last");
  await using idle = await RawReaders.connect(daemon);
  await using busy = await RawReaders.connect(daemon);
  const before = memoryOf(daemon.pid);
  const slow: RawReader[] = [];
  const first: IteratorResult<LogItem, void>[] = [];
  const quick: AsyncIterator<LogItem, void>[] = [];

  // Not all at the same moment, which nobody does.
  for (let wave = 0; wave < 10; wave++) {
    slow.push(...Array.from({ length: 50 }, () => idle.open(log)));
    quick.push(...Array.from({ length: 50 }, () => busy.open({ ...log, tail: 1n }).items()));
    await stalled(slow);
    first.push(...(await Promise.all(quick.slice(-50).map((items) => items.next()))));
  }
  const grown = memoryOf(daemon.pid) - before;
  go();
  const second = await Promise.all(quick.map((items) => items.next()));

  assert.ok(grown < 50 * megabyte, `the daemon grew by ${grown} bytes`);
  assert.ok(first.every(({ value }) => value?.line === "5000"));
  assert.ok(second.every(({ value }) => value?.line === "last"));
  const late = await Promise.all(slow.slice(0, 1).map((one) => Array.fromAsync(one.items())));
  assert.deepEqual([late[0]?.length, late[0]?.at(-1)?.line], [5001, "last"]);
});

/** Some that leave in the middle of a stream: half of them hang up, half say that they go. */
async function disconnect(log: Awaited<ReturnType<typeof start>>, hangUp: boolean): Promise<void> {
  await using readers = await RawReaders.connect(daemon);
  const streams = Array.from({ length: streamsAtOnce }, () => readers.open(log));
  await stalled(streams);
  if (hangUp) return readers.drop();
  await Promise.all(streams.map((stream) => stream.close()));
}

test(`${disconnects} readers that leave in the middle leave nothing behind (fault 55)`, {
  skip,
}, async () => {
  const log = await start("seq 5000", "true");
  await disconnect(log, true);
  const memory = memoryOf(daemon.pid);

  for (let left = disconnects; left > 0; left -= streamsAtOnce)
    await disconnect(log, left % (2 * streamsAtOnce) === 0);

  await until(
    () => openIn(daemon.pid).join(),
    (now) => now === openAtFirst,
  );
  const grown = memoryOf(daemon.pid) - memory;
  assert.ok(grown < 20 * megabyte, `the daemon grew by ${grown} bytes`);
  assert.deepEqual(
    daemon.log.filter((line) => /Warning|unexpected/.test(line)),
    [],
  );
  go();
});
