import assert from "node:assert/strict";
import { test } from "node:test";
import { LogHistory } from "./log-history.ts";

const all = { follow: false, sinceNs: 0n, tail: undefined };

function historyOf(count: number): LogHistory {
  const history = new LogHistory();
  for (let number = 1; number <= count; number++)
    history.append({ atNs: BigInt(number), text: String(number) });
  return history;
}

async function next(records: ReturnType<LogHistory["read"]>) {
  const { done, value } = await records.next();
  assert.ok(done !== true);
  return value;
}

async function textsOf(
  history: LogHistory,
  query: Parameters<LogHistory["read"]>[0],
): Promise<readonly string[]> {
  const records = await Array.fromAsync(history.read(query, new AbortController().signal));
  return records.map(({ text }) => text);
}

test("read() replays what is remembered, from a time on, or the newest", async () => {
  const history = historyOf(3);

  assert.deepEqual(await textsOf(history, all), ["1", "2", "3"]);
  assert.deepEqual(await textsOf(history, { ...all, sinceNs: 2n }), ["2", "3"]);
  assert.deepEqual(await textsOf(history, { ...all, tail: 1 }), ["3"]);
});

test("read() follows until its signal aborts", async () => {
  const history = historyOf(1);
  const reader = new AbortController();
  const records = history.read({ ...all, follow: true }, reader.signal);

  assert.equal((await next(records)).text, "1");
  const second = next(records);
  history.append({ atNs: 2n, text: "2" });
  assert.equal((await second).text, "2");
  const last = records.next();
  reader.abort();

  assert.equal((await last).done, true);
});

test("read() remembers at most twice 4,096 records, and tells a slow reader what it missed", async () => {
  const history = historyOf(1);
  const records = history.read({ ...all, follow: true }, new AbortController().signal);
  await records.next();

  for (let number = 2; number <= 20_000; number++)
    history.append({ atNs: BigInt(number), text: String(number) });
  const { text, missed } = await next(records);

  assert.ok(missed > 0);
  assert.equal(Number(text), 2 + missed);
});
