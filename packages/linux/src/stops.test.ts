import assert from "node:assert/strict";
import { test } from "node:test";
import { Refused } from "./shim/channel.ts";
import { Stops } from "./stops.ts";

function replaced(): Refused {
  return new Refused({ step: "stop", errno: 125 });
}

/** Lets what has been settled be seen by whoever waits for it. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("settle() of a stop whose successor is replaced too waits for the last one", async () => {
  const stops = new Stops();
  const [first, second, last] = [1, 2, 3].map(() => Promise.withResolvers<void>());
  assert.ok(first !== undefined && second !== undefined && last !== undefined);

  const settled = [stops.settle(7, first.promise), stops.settle(7, second.promise)];
  first.reject(replaced());
  await nextTurn(); // The first waits for the second by now.
  settled.push(stops.settle(7, last.promise));
  second.reject(replaced());
  await nextTurn();
  last.resolve();

  await Promise.all(settled);
});

test("settle() rejects as the last stop does", async () => {
  const stops = new Stops();
  const attempts = [1, 2].map(() => Promise.withResolvers<void>());
  const settled = attempts.map(({ promise }) => stops.settle(7, promise));

  attempts[0]?.reject(replaced());
  attempts[1]?.reject(new Error("gone"));

  for (const each of settled) await assert.rejects(each, /gone/);
});
