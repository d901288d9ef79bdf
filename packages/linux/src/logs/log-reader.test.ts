import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempDisposableSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Failure } from "@aurae/domain/errors";
import { Gate, type LogEntry, type LogKey, type LogQuery } from "@aurae/domain/observe";
import { formatTime } from "../testing/format-time.ts";
import { readLog } from "./log-reader.ts";
import { segmentPath } from "./segments.ts";

const key: LogKey = { cellId: "0123456789abcdef", executable: "main" as never, run: 3 };
const never = new AbortController().signal;
const all: LogQuery = {
  channels: new Set(["stdout", "stderr"]),
  follow: false,
  sinceNs: 0n,
  tail: undefined,
};

test("readLog() replays every segment in order, of the channels asked for", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "one"), line(2, "err", "stderr"));
  log.add(1, line(3, "two"));
  log.add(2, line(4, "three"));

  assert.deepEqual(await log.texts(all), ["one", "err", "two", "three"]);
  assert.deepEqual(await log.texts({ ...all, channels: new Set(["stderr"]) }), ["err"]);
});

test("readLog() takes only what is of this run", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "mine"));
  appendFileSync(join(log.directory, "main", "33.log"), line(1, "another's"));

  assert.deepEqual(await log.texts(all), ["mine"]);
});

test("readLog() gives only lines since a time", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "old"), line(5, "new"), line(6, "newer"));

  assert.deepEqual(await log.texts({ ...all, sinceNs: 5n }), ["new", "newer"]);
});

for (const [tail, expected] of [
  [0, []],
  [1, ["e5"]],
  [3, ["o3", "o4", "e5"]],
  [5, ["o1", "e2", "o3", "o4", "e5"]],
  [99, ["o1", "e2", "o3", "o4", "e5"]],
] as const) {
  test(`readLog() gives the newest ${tail} lines, over segments`, async (t) => {
    const log = createLog(t);
    log.add(0, line(1, "o1"), line(2, "e2", "stderr"));
    log.add(1, line(3, "o3"), line(4, "o4"), line(5, "e5", "stderr"));

    assert.deepEqual(await log.texts({ ...all, tail }), expected);
  });
}

test("readLog() counts the newest lines of the channels asked for", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "o1"), line(2, "o2"), line(3, "e3", "stderr"), line(4, "e4", "stderr"));

  assert.deepEqual(await log.texts({ ...all, channels: new Set(["stdout"]), tail: 1 }), ["o2"]);
});

test("readLog() counts a long line once, however many parts it has", async (t) => {
  const log = createLog(t);
  const part = "x".repeat(16_384);
  const parts = Array.from({ length: 20 }, () => line(2, part, "stdout", "P"));
  log.add(0, line(1, "before"), ...parts, line(3, "end"), line(4, "last"));

  const texts = await log.texts({ ...all, tail: 2 });

  assert.equal(texts.length, 22);
  assert.deepEqual([texts[0]?.length, texts.at(-1)], [16_384, "last"]);
});

test("readLog() follows over a new segment, and ends when the log is complete", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "one"));
  const complete = new Gate();
  const entries = log.read({ ...all, follow: true }, complete);

  assert.equal(text(await entries.next()), "one");
  const next = entries.next();
  log.add(0, line(2, "two"));
  assert.equal(text(await next), "two");
  log.add(0, line(3, "three"));
  log.add(1, line(4, "four"));
  complete.open();
  assert.equal(text(await entries.next()), "three");
  assert.equal(text(await entries.next()), "four");
  assert.equal((await entries.next()).done, true);
});

test("readLog() without follow ends at what was written when it was asked", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "one"), line(2, "two"));
  const entries = log.read(all, new Gate());
  assert.equal(text(await entries.next()), "one");

  log.add(0, line(3, "late"));
  log.add(1, line(4, "later"));

  assert.equal(text(await entries.next()), "two");
  assert.equal((await entries.next()).done, true);
});

test("readLog() that waits ends without an error when the caller leaves", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "one"));
  const caller = new AbortController();
  const entries = log.read({ ...all, follow: true }, new Gate(), caller.signal);
  await entries.next();
  const next = entries.next();

  caller.abort();

  assert.equal((await next).done, true);
});

test("readLog() tells of lines that were dropped, and of segments that are gone", async (t) => {
  const log = createLog(t);
  log.add(2, line(5, "", "stdout", "F:dropped=7"), line(6, "after"));
  log.add(3, line(8, "last"));

  assert.deepEqual(await log.entries(all), [
    { kind: "gap", atNs: 5n, linesDropped: 7n, segmentsRemoved: 2n },
    entry(6n, "after"),
    entry(8n, "last"),
  ]);
});

test("readLog() ends with the lines that were dropped and of which the log does not tell", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "one"), line(5, "", "stdout", "F:dropped=7"), line(6, "after"));

  const entries = await log.entries({ ...all, follow: true }, 10n);

  const gap = { kind: "gap", segmentsRemoved: 0n } as const;
  assert.deepEqual(entries, [
    entry(1n, "one"),
    { ...gap, atNs: 5n, linesDropped: 7n },
    entry(6n, "after"),
    { ...gap, atNs: 6n, linesDropped: 3n },
  ]);
});

test("readLog() counts what is no line as one that is missing, and goes on", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "one"), "garbage\n", "\n", line(2, "two"), "cut off");
  log.add(1, line(3, "three"));

  assert.deepEqual(await log.entries(all), [
    entry(1n, "one"),
    { kind: "gap", atNs: 2n, linesDropped: 2n, segmentsRemoved: 0n },
    entry(2n, "two"),
    { kind: "gap", atNs: 3n, linesDropped: 1n, segmentsRemoved: 0n },
    entry(3n, "three"),
  ]);
});

test("readLog() skips garbage of any length in bounded memory", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "one"), Buffer.alloc(1_000_000, 0), "\n", line(2, "two"));

  const entries = await log.entries(all);

  assert.deepEqual(
    entries.map(({ kind }) => kind),
    ["line", "gap", "line"],
  );
  assert.deepEqual(await log.texts({ ...all, tail: 2 }), ["one", "two"]);
});

test("readLog() gives nothing twice when a line was cut back and written again", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "one"));
  const complete = new Gate();
  const entries = log.read({ ...all, follow: true }, complete);
  assert.equal(text(await entries.next()), "one");
  const next = entries.next();
  log.add(0, line(2, "two").slice(0, 40));

  truncateSync(segmentPath(log.directory, key, 0), line(1, "one").length);
  log.add(0, line(3, "", "stdout", "F:dropped=1"), line(3, "three"));

  assert.deepEqual(await next, {
    done: false,
    value: { kind: "gap", atNs: 3n, linesDropped: 1n, segmentsRemoved: 0n },
  });
  assert.equal(text(await entries.next()), "three");
  complete.open();
  assert.equal((await entries.next()).done, true);
});

test("readLog() counts the beginning of a line whose writer is gone", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "one"), line(2, "two").slice(0, -3));

  for (const follow of [true, false]) {
    const entries = await log.entries({ ...all, follow });
    const gap = { kind: "gap", atNs: 1n, linesDropped: 1n, segmentsRemoved: 0n };
    assert.deepEqual(entries.at(-1), gap);
  }
});

test("readLog() that is behind when segments go tells how many, and goes on", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "one"));
  const complete = new Gate();
  const entries = log.read({ ...all, follow: true }, complete);
  await entries.next();
  for (const segment of [1, 2, 3]) log.add(segment, line(segment + 1, `in ${segment}`));
  for (const segment of [0, 1, 2]) rmSync(segmentPath(log.directory, key, segment));
  complete.open();

  const gap = await entries.next();

  assert.equal(gap.value?.kind === "gap" && gap.value.segmentsRemoved, 2n);
  assert.equal(text(await entries.next()), "in 3");
  assert.equal((await entries.next()).done, true);
});

test("readLog() of a log that is not kept is NOT_FOUND", async (t) => {
  const log = createLog(t);
  log.add(0, line(1, "one"));

  for (const follow of [true, false]) {
    const other = { ...key, executable: "other" as never };
    const run = { logComplete: Gate.opened(), linesDropped: 0n };
    const entries = readLog(log.directory, other, { ...all, follow }, run, never);
    await assert.rejects(entries.next(), (cause) => {
      assert.ok(cause instanceof Failure);
      assert.equal(cause.reason, "LOG_NOT_FOUND");
      return true;
    });
  }
});

interface Log {
  readonly directory: string;
  add(segment: number, ...lines: readonly (string | Buffer)[]): void;
  read(query: LogQuery, complete: Gate, signal?: AbortSignal): AsyncGenerator<LogEntry, void>;
  /** All entries of a log that is complete. */
  entries(query: LogQuery, linesDropped?: bigint): Promise<readonly LogEntry[]>;
  texts(query: LogQuery): Promise<readonly string[]>;
}

function createLog(t: TestContext): Log {
  const directory = mkdtempDisposableSync("/tmp/al-");
  t.after(() => directory.remove());
  mkdirSync(join(directory.path, "main"));
  const log: Log = {
    directory: directory.path,
    add(segment, ...lines) {
      const bytes = Buffer.concat(lines.map((each) => Buffer.from(each)));
      appendFileSync(segmentPath(directory.path, key, segment), bytes);
    },
    read: (query, logComplete, signal = never) =>
      readLog(directory.path, key, query, { logComplete, linesDropped: 0n }, signal),
    entries: (query, linesDropped = 0n) => {
      const run = { logComplete: Gate.opened(), linesDropped };
      return Array.fromAsync(readLog(directory.path, key, query, run, never));
    },
    texts: async (query) => (await log.entries(query)).flatMap((each) => textOf(each)),
  };
  return log;
}

function line(atNs: number, text: string, channel = "stdout", tag = "F"): string {
  return `${formatTime(BigInt(atNs))} ${channel} ${tag} ${text}\n`;
}

function entry(atNs: bigint, text: string): LogEntry {
  return { kind: "line", channel: "stdout", atNs, bytes: Buffer.from(text), partial: false };
}

function textOf(each: LogEntry): readonly string[] {
  return each.kind === "line" ? [Buffer.from(each.bytes).toString()] : [];
}

function text(result: IteratorResult<LogEntry, void>): string | undefined {
  return result.done === true ? undefined : textOf(result.value)[0];
}
