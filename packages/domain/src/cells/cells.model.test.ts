import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Failure } from "../errors.ts";
import {
  type Ask,
  type CellCall,
  noCell,
  type Program,
  toOperation,
} from "../testing/cell-history.ts";
import { isLinearizable } from "../testing/linearizable.ts";
import type { CellName } from "./cell-name.ts";
import type { ExecutableName } from "./executable-spec.ts";
import { type CellsUnderTest, setUpCells } from "./testing.ts";

/** Callers on one cell whose calls are put into each other in every way: AURAE_MODEL_RUNS sets how many. */

const runs = Number(process.env["AURAE_MODEL_RUNS"] ?? 400);
const commands = { long: "sleep 1000", short: "exit 3", missing: "missing" };
const answers: ReadonlyMap<string, string> = new Map([
  ["exists", "ALREADY_EXISTS"],
  ["not-found", "NOT_FOUND"],
  ["wrong-state", "FAILED_PRECONDITION"],
]);
const never = new AbortController().signal;

interface Call {
  readonly ask: Ask;
  readonly program: Program;
}

// Mostly what fills the cell, or most calls would find nothing.
const call: fc.Arbitrary<Call> = fc.record({
  ask: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom("Start", "Stop") },
    { weight: 3, arbitrary: fc.constantFrom("Allocate", "Free", "List") },
  ),
  program: fc.constantFrom("long", "long", "short", "missing"),
});
const callers = fc.array(fc.array(call, { maxLength: 6, size: "max" }), {
  minLength: 2,
  maxLength: 4,
  size: "max",
});
const first: Call = { ask: "Allocate", program: "long" };

function send(
  { cells, allocate, start }: CellsUnderTest,
  { ask, program }: Call,
): Promise<unknown> {
  const name = "web" as CellName;
  switch (ask) {
    case "Allocate":
      return allocate(name);
    case "Free":
      return cells.free(name, 0, never);
    case "Start":
      return start(commands[program], name, "main");
    case "Stop":
      return cells.stop(name, "main" as ExecutableName, 0, never);
    case "List":
      return Promise.resolve().then(() => cells.list(name));
    default:
      return ask satisfies never;
  }
}

async function answerOf(sent: Promise<unknown>): Promise<string> {
  try {
    await sent;
    return "OK";
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    return answers.get(cause.kind) ?? cause.kind;
  }
}

test("whatever callers ask of a cell at once, some order explains it (faults 68–70)", async () => {
  const property = fc.asyncProperty(callers, fc.scheduler(), async (asked, scheduler) => {
    const under = setUpCells();
    // Each call of the host takes as long as the scheduler likes.
    under.host.turn = () => scheduler.schedule(Promise.resolve());
    const history: CellCall[] = [];
    let clock = 0;
    async function serve(calls: readonly Call[]): Promise<void> {
      for (const each of calls) {
        const calledAt = ++clock;
        const answer = await answerOf(send(under, each));
        history.push({ ...each, calledAt, answeredAt: ++clock, answer });
      }
    }
    await scheduler.waitFor(serve([first]));
    await scheduler.waitFor(Promise.all(asked.map(serve)));

    assert.ok(isLinearizable(history.map(toOperation), noCell), JSON.stringify(history));
  });
  await fc.assert(property, { numRuns: runs });
});
