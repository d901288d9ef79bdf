import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { type LogChannelType, type LogItem, Observe } from "@aurae/api/observe";
import type { ExecutableName } from "@aurae/domain/cells";
import type { LogEntry } from "@aurae/domain/observe";
import { status } from "@grpc/grpc-js";
import { collect, NodeUnderTest } from "../server/testing.ts";

const { getAuraeDaemonLogStream, getSubProcessStream } = Observe.method;

async function setUp(...entries: readonly LogEntry[]) {
  const node = await NodeUnderTest.start();
  node.store.key = { cellId: "0", executable: "server" as ExecutableName, run: 1 };
  node.store.entries.push(...entries);
  const client = await node.connect();
  return { node, client, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() };
}

function line(text: string | Buffer, partial = false): LogEntry {
  const atNs = 1_795_614_792_728_241_001n;
  return { kind: "line", channel: "stdout", atNs, bytes: Buffer.from(text), partial };
}

test("a line has its channel, its text and its time twice", async () => {
  await using setting = await setUp(line("hello"));

  const stream = setting.client.stream(getSubProcessStream, { processId: 7n, follow: false });
  const [item] = await collect(stream);

  assert.deepEqual([item?.channel, item?.line, item?.partial], ["server::stdout", "hello", false]);
  assert.equal(item?.timestamp, 1_795_614_792n);
  assert.equal(item.timestampNs, 1_795_614_792_728_241_001n);
});

test("bytes come raw only when they are not UTF-8 (fault 51)", async () => {
  const odd = Buffer.from([0x61, 0xff, 0x00, 0x62]);
  await using setting = await setUp(line(odd), line("\uFEFFé\0\u001b[1m", true));

  const request = { processId: 7n, follow: false };
  const [first, second] = await collect(setting.client.stream(getSubProcessStream, request));

  assert.deepEqual([first?.line, Buffer.from(first?.raw ?? [])], ["a\uFFFD\0b", odd]);
  assert.deepEqual([second?.line, second?.raw.length], ["\uFEFFé\0\u001b[1m", 0]);
  assert.equal(second?.partial, true);
});

test("a gap is an item without a line", async () => {
  const gap = { kind: "gap", atNs: 0n, linesDropped: 3n, segmentsRemoved: 1n } as const;
  await using setting = await setUp(gap);

  const request = { cellName: "web", executableName: "server", follow: false, allChannels: true };
  const [item] = await collect(setting.client.stream(getSubProcessStream, request));

  assert.deepEqual([item?.line, item?.gap?.linesDropped, item?.gap?.segmentsRemoved], ["", 3n, 1n]);
});

const wrong = [
  { why: "no selector", request: {}, field: "process_id" },
  { why: "both", request: { processId: 1n, cellName: "a" }, field: "process_id" },
  { why: "half a name", request: { cellName: "a" }, field: "executable_name" },
  { why: "a negative pid", request: { processId: -1n }, field: "process_id" },
  { why: "a run of a pid", request: { processId: 1n, run: 1n }, field: "run" },
  { why: "time before 1970", request: { processId: 1n, sinceNs: -1n }, field: "since_ns" },
  {
    why: "an unknown channel",
    request: { processId: 1n, channelType: 2 as LogChannelType },
    field: "channel_type",
  },
];

for (const { why, request, field } of wrong) {
  test(`a stream with ${why} is INVALID_ARGUMENT`, async () => {
    await using setting = await setUp(line("never"));

    const refused = collect(setting.client.stream(getSubProcessStream, request));

    const details = new RegExp(`: ${field} `);
    await assert.rejects(refused, { code: status.INVALID_ARGUMENT, details });
  });
}

test("a stream by process id is logged with the run that it was bound to", async () => {
  await using setting = await setUp(line("hello"));

  const request = { processId: 7n, follow: false };
  await collect(setting.client.stream(getSubProcessStream, request));

  const record = setting.node.records.find(({ msg }) => msg === "call");
  assert.deepEqual(
    [record?.["cellId"], record?.["executable"], record?.["run"]],
    ["0", "server", 1],
  );
});

test("a log that is not kept is NOT_FOUND", async () => {
  await using setting = await setUp();
  setting.node.store.key = undefined;

  const refused = collect(setting.client.stream(getSubProcessStream, { processId: 7n }));

  await assert.rejects(refused, { code: status.NOT_FOUND });
});

test("the reader's generator ends when the caller leaves", async () => {
  await using setting = await setUp(line("hello"));
  const stream = setting.client.stream(getSubProcessStream, { processId: 7n });
  await once(stream, "data");
  assert.equal(setting.node.store.open, 1);

  stream.cancel();
  await assert.rejects(collect(stream), { code: status.CANCELLED });

  // Before the front is closed: that would end every reader.
  await setting.node.store.readerEnded.wait(AbortSignal.timeout(5000));
  assert.equal(setting.node.store.open, 0);
});

test("a stream without a line yet has its headers at once", async () => {
  await using setting = await setUp();

  const stream = setting.client.stream(getSubProcessStream, { processId: 7n });
  stream.on("error", () => undefined);

  await once(stream, "metadata");
  stream.cancel();
});

test("the daemon's log is replayed, then followed", async () => {
  await using setting = await setUp();
  setting.node.history.append({ atNs: 1_000_000_007n, text: '{"msg":"old"}' });
  const stream = setting.client.stream(getAuraeDaemonLogStream, {});
  stream.on("error", () => undefined);
  const [old] = (await once(stream, "data")) as [LogItem];

  setting.node.history.append({ atNs: 2_000_000_000n, text: '{"msg":"new"}' });
  const [fresh] = (await once(stream, "data")) as [LogItem];
  stream.cancel();

  assert.deepEqual([old.channel, old.line, old.timestamp], ["auraed", '{"msg":"old"}', 1n]);
  assert.equal(fresh.line, '{"msg":"new"}');
});
