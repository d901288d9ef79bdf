import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../errors.ts";
import { FakeMemory } from "./fake-memory.ts";
import { parseRequestId } from "./request-mark.ts";
import { Requests } from "./requests.ts";

const mark = { key: "k", digest: "d" };
const { signal } = new AbortController();

test("once() does a request once, and answers its repeats (fault 68)", async () => {
  const { requests, done, act } = setUp();

  const answers = [
    await requests.once("started", mark, act, signal),
    await requests.once("started", mark, act, signal),
  ];

  assert.deepEqual(
    answers.map(({ run }) => run),
    [1, 1],
  );
  assert.equal(done.length, 1);
});

test("once() without a mark does each", async () => {
  const { requests, done, act, memory } = setUp();

  await requests.once("started", undefined, act, signal);
  await requests.once("started", undefined, act, signal);

  assert.equal(done.length, 2);
  assert.equal(memory.answers.size, 0);
});

test("once() of a request that is under way waits for it", async () => {
  const { requests, memory } = setUp();
  const first = Promise.withResolvers<{ kind: "freed" }>();
  const answers = [requests.once("freed", mark, () => first.promise, signal)];

  answers.push(requests.once("freed", mark, neverAsked, signal));
  first.resolve({ kind: "freed" });

  assert.deepEqual(await Promise.all(answers), [{ kind: "freed" }, { kind: "freed" }]);
  assert.equal(memory.reserved, 0);
});

test("once() shares the failure of the first; the next repeat acts", async () => {
  const { requests, act, done } = setUp();
  const refused = new Failure("wrong-state", "CELL_STATE", "Cannot start: it is freeing");
  const first = requests.once("started", mark, () => Promise.reject(refused), signal);

  const second = requests.once("started", mark, neverAsked, signal);

  for (const each of [first, second]) await assert.rejects(each, refused);
  await requests.once("started", mark, act, signal);
  assert.equal(done.length, 1);
});

test("once() acts when the caller of the first has left before anything was done", async () => {
  const { requests, act, done } = setUp();
  const left = new Failure("cancelled", "CALLER_LEFT", "Cannot go on: the caller has left");
  const first = requests.once("started", mark, () => Promise.reject(left), signal);

  const second = requests.once("started", mark, act, signal);

  await assert.rejects(first, left);
  assert.equal((await second).run, 1);
  assert.equal(done.length, 1);
});

test("once() of a caller that leaves while it waits is cancelled; the first goes on", async () => {
  const { requests } = setUp();
  const first = Promise.withResolvers<{ kind: "freed" }>();
  const caller = new AbortController();
  const answer = requests.once("freed", mark, () => first.promise, signal);

  const repeat = requests.once("freed", mark, neverAsked, caller.signal);
  caller.abort();

  await assert.rejects(repeat, { reason: "CALLER_LEFT" });
  first.resolve({ kind: "freed" });
  await answer;
});

test("once() refuses another request with the mark's key, also while the first is under way", async () => {
  const { requests, act } = setUp();
  const other = { ...mark, digest: "other" };
  const first = requests.once("started", mark, act, signal);

  const during = requests.once("started", other, neverAsked, signal);

  await assert.rejects(during, { kind: "invalid", reason: "REQUEST_ID_REUSED" });
  await first;
  await assert.rejects(requests.once("started", other, neverAsked, signal), {
    reason: "REQUEST_ID_REUSED",
  });
});

test("once() without room starts and allocates nothing; what ends something goes on (fault 23)", async () => {
  const { requests, memory } = setUp();
  memory.full = new Failure("exhausted", "NODE_LIMIT_REACHED", "Cannot note a request");

  for (const kind of ["started", "allocated"] as const)
    await assert.rejects(requests.once(kind, mark, neverAsked, signal), memory.full);
  await requests.once("freed", mark, async () => ({ kind: "freed" }), signal);

  assert.equal(memory.recall("k")?.answer.kind, "freed");
});

test("a request id is 1–64 letters, digits, dots, underscores and hyphens", () => {
  for (const id of ["a", "A.b_c-9", "x".repeat(64)]) assert.equal(parseRequestId(id), id);
  for (const id of ["", "x".repeat(65), "a b", "é", "a\n", "a/b", "a\0"])
    assert.equal(typeof parseRequestId(id), "object");
});

function setUp() {
  const memory = new FakeMemory();
  const requests = new Requests(memory);
  const done: number[] = [];
  async function act() {
    const run = done.push(0);
    return { kind: "started", run, pid: 1000, startedAtNs: 1n } as const;
  }
  return { memory, requests, done, act };
}

function neverAsked(): never {
  throw new Error("it was done again");
}
