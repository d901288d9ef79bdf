import assert from "node:assert/strict";
import { test } from "node:test";
import { isLinearizable, type Operation } from "./linearizable.ts";

/** A register that is written and read: the state is its value. */
function write(value: number, calledAt: number, answeredAt: number): Operation<number> {
  return { name: `write ${value}`, calledAt, answeredAt, ways: [[() => [value]]] };
}

function read(value: number, calledAt: number, answeredAt: number): Operation<number> {
  const steps = [(state: number) => (state === value ? [state] : [])];
  return { name: `read ${value}`, calledAt, answeredAt, ways: [steps] };
}

test("isLinearizable() takes what some order explains", () => {
  assert.ok(isLinearizable([write(1, 1, 4), read(0, 2, 3)], 0));
  assert.ok(isLinearizable([write(1, 1, 4), read(1, 2, 3)], 0));
  assert.ok(isLinearizable([write(1, 1, 9), write(2, 2, 3), read(2, 4, 5), read(1, 6, 7)], 0));
});

test("isLinearizable() refuses what no order explains", () => {
  assert.equal(isLinearizable([write(1, 1, 2), read(0, 3, 4)], 0), false);
  // A value that was seen cannot be unseen.
  assert.equal(isLinearizable([write(1, 1, 9), read(1, 2, 3), read(0, 4, 5)], 0), false);
  assert.equal(isLinearizable([read(7, 1, 2)], 0), false);
});

test("isLinearizable() takes the steps of one operation in order, with others between", () => {
  const twice = { ...write(1, 1, 9), ways: [[() => [1], () => [2]]] };
  assert.ok(isLinearizable([twice, read(1, 2, 3), read(2, 4, 5)], 0));
  assert.equal(isLinearizable([twice, read(2, 2, 3), read(1, 4, 5)], 0), false);
});

test("isLinearizable() lets an operation that was cut stop anywhere, and do nothing later", () => {
  const cut = { ...write(1, 1, 4), isCut: true };
  assert.ok(isLinearizable([cut, read(0, 5, 6)], 0));
  assert.ok(isLinearizable([cut, read(1, 5, 6)], 0));
  assert.equal(isLinearizable([cut, read(0, 5, 6), read(1, 7, 8)], 0), false);
});
