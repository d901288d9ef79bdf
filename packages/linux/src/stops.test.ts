import assert from "node:assert/strict";
import { test } from "node:test";
import { Refused } from "./shim/channel.ts";
import { Stops } from "./stops.ts";

function replaced(): Refused {
  return new Refused({ step: "stop", errno: 125 });
}

test("settle() of stops that are replaced waits for the last one, however many there are", async () => {
  const stops = new Stops();
  const attempts = [1, 2, 3].map(() => Promise.withResolvers<void>());
  const settled = attempts.map(({ promise }) => stops.settle(7, promise));
  const [first, second, last] = attempts;

  first?.reject(replaced());
  second?.reject(replaced());
  last?.resolve();

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
