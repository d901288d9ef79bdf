import assert from "node:assert/strict";
import { test } from "node:test";
import { Plan } from "./plan.ts";

test("next() does each term so often as it says, then the next one, then nothing", () => {
  const plan = new Plan("a = 2*off -> 1*error(ENOSPC) -> 1*kill;\n b=pause;");

  const kinds = Array.from({ length: 5 }, () => plan.next("a").kind);

  assert.deepEqual(kinds, ["off", "off", "error", "kill", "off"]);
  assert.deepEqual([plan.next("b").kind, plan.next("b").kind], ["pause", "pause"]);
  assert.equal(plan.next("c").kind, "off");
});

test("next() tells the code of an error", () => {
  assert.deepEqual(new Plan("a=error(EIO)").next("a"), { kind: "error", code: "EIO" });
});

for (const text of ["a", "a=b", "a=kill->", "a=error()", "a=-1*kill", "a=kill=off"]) {
  test(`a plan of "${text}" is refused`, () => {
    assert.throws(() => new Plan(text), /^Error: Cannot read/);
  });
}
