import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate } from "./gate.ts";

test("wait() resolves when the gate opens, and at once when it is open", async () => {
  const gate = new Gate();
  const waiting = gate.wait(AbortSignal.timeout(10_000));

  gate.open();

  await waiting;
  await gate.wait(AbortSignal.timeout(10_000));
});

test("wait() that is aborted leaves nothing behind on the gate", async () => {
  const gate = new Gate();
  const caller = new AbortController();
  const waiting = gate.wait(caller.signal);

  caller.abort();

  await assert.rejects(waiting, { kind: "cancelled" });
  gate.open();
});

test("onOpen() calls back once, unless it was taken back", () => {
  const gate = new Gate();
  const calls: string[] = [];
  gate.onOpen(() => calls.push("stays"));
  gate.onOpen(() => calls.push("taken back"))();

  gate.open();
  gate.open();

  assert.deepEqual(calls, ["stays"]);
});
