import assert from "node:assert/strict";
import { test } from "node:test";
import { CellService } from "@aurae/api/runtime";
import {
  type Ask,
  type CellCall,
  isLinearizable,
  noCell,
  type Program,
  toCrash,
  toOperation,
} from "@aurae/domain/testing";
import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import { answerTo, WireClient } from "./client.ts";
import { type Daemon, needsRoot, spawnDaemon, startDaemon } from "./daemon.ts";

/**
 * Callers on one cell at once, and the daemon killed among them: some order has to explain every answer.
 * AURAE_MODEL_ROUNDS sets how many cells are tried; each sees the daemon die twice.
 */

const rounds = Number(process.env["AURAE_MODEL_ROUNDS"] ?? 3);
const executableName = "main";
const commands = { long: "sleep 1000", short: "exit 3" };

interface Call {
  readonly ask: Ask;
  readonly program: Program;
}

/** What some callers ask, each one call after another, and after how many answers the daemon is killed. */
interface Batch {
  readonly callers: readonly (readonly Call[])[];
  readonly answersBeforeKill: number;
}

const call: fc.Arbitrary<Call> = fc.record({
  ask: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom("Start", "Stop") },
    { weight: 3, arbitrary: fc.constantFrom("Allocate", "Free", "List") },
  ),
  program: fc.constantFrom("long", "long", "short", "missing"),
});
const batch: fc.Arbitrary<Batch> = fc.record({
  callers: fc.array(fc.array(call, { minLength: 2, maxLength: 6 }), { minLength: 3, maxLength: 4 }),
  answersBeforeKill: fc.integer({ min: 1, max: 8 }),
});
const life = fc.array(batch, { minLength: 2, maxLength: 2 });

test("what callers ask while the daemon is killed again and again is explained by some order (faults 68, 69)", {
  skip: needsRoot,
}, async () => {
  await using first = await startDaemon({ cellsStay: true });
  let last: Daemon = first;
  let made = 0;
  const property = fc.asyncProperty(life, async (batches) => {
    made += 1;
    using history = new History(last, `model-${made}`);
    await history.ask({ ask: "Allocate", program: "long" });
    for (const { callers, answersBeforeKill } of batches) {
      await history.askAll(callers, answersBeforeKill);
      last = await history.crash();
    }
    await history.ask({ ask: "List", program: "long" });
    await history.ask({ ask: "Free", program: "long" });

    assert.ok(isLinearizable(history.operations, noCell), history.toString());
  });
  try {
    const { failed, seed, errorInstance } = await fc.check(property, {
      numRuns: rounds,
      endOnFailure: true,
    });
    if (failed) throw new Error(`Calls with the seed ${seed} fail`, { cause: errorInstance });
  } finally {
    if (last !== first) await last[Symbol.asyncDispose]();
  }
});

/** The calls on one cell over the lives of several daemons, with one clock. */
class History implements Disposable {
  readonly #cellName: string;
  readonly #calls: CellCall[] = [];
  readonly #crashes: { readonly calledAt: number; readonly answeredAt: number }[] = [];
  #daemon: Daemon;
  #client: WireClient;
  #clock = 0;
  #killedAt: number | undefined;

  constructor(daemon: Daemon, cellName: string) {
    this.#daemon = daemon;
    this.#client = new WireClient(daemon);
    this.#cellName = cellName;
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  get operations() {
    return [
      ...this.#calls.map(toOperation),
      ...this.#crashes.map(({ calledAt, answeredAt }) => toCrash(calledAt, answeredAt)),
    ];
  }

  toString(): string {
    return [...this.#calls, ...this.#crashes]
      .toSorted((one, other) => one.calledAt - other.calledAt)
      .map((each) => JSON.stringify(each))
      .join("\n");
  }

  async ask({ ask, program }: Call): Promise<void> {
    this.#clock += 1;
    const calledAt = this.#clock;
    const { code } = await answerTo(this.#send(ask, program));
    this.#clock += 1;
    const isCut = code === status.UNAVAILABLE && this.#killedAt !== undefined;
    const end = isCut
      ? { answeredAt: this.#killedAt ?? 0, answer: undefined }
      : { answeredAt: this.#clock, answer: status[code] };
    this.#calls.push({ ask, program, calledAt, ...end });
  }

  /** The daemon is killed after so many answers, and nobody asks it any more. */
  async askAll(callers: readonly (readonly Call[])[], answersBeforeKill: number): Promise<void> {
    let left = answersBeforeKill;
    const asked = callers.map(async (calls) => {
      for (const each of calls) {
        if (this.#killedAt !== undefined) return;
        await this.ask(each);
        left -= 1;
        if (left === 0) this.#kill();
      }
    });
    await Promise.all(asked);
    if (this.#killedAt === undefined) this.#kill();
  }

  /** Wait until the daemon that was killed is gone, and the next one serves. */
  async crash(): Promise<Daemon> {
    this.#clock += 1;
    const calledAt = (this.#killedAt ?? 0) + 0.5;
    this.#client[Symbol.dispose]();
    await this.#daemon.ended;
    this.#daemon = await spawnDaemon(this.#daemon.directory);
    this.#client = new WireClient(this.#daemon);
    this.#killedAt = undefined;
    this.#clock += 1;
    this.#crashes.push({ calledAt, answeredAt: this.#clock });
    return this.#daemon;
  }

  #kill(): void {
    this.#clock += 1;
    this.#killedAt = this.#clock;
    process.kill(this.#daemon.pid, "SIGKILL");
  }

  #send(ask: Ask, program: Program): Promise<unknown> {
    const { allocate, free, start, stop, list } = CellService.method;
    const cellName = this.#cellName;
    const one = { cellName, executableName, graceMs: 0 };
    const what =
      program === "missing"
        ? { command: "/no/such/program", noShell: true }
        : { command: commands[program] };
    const executable = { name: executableName, cellName, ...what };
    switch (ask) {
      case "Allocate":
        return this.#client.call(allocate, { cell: { name: cellName } });
      case "Free":
        return this.#client.call(free, { cellName, graceMs: 0 });
      case "Start":
        return this.#client.call(start, { executable });
      case "Stop":
        return this.#client.call(stop, one);
      case "List":
        return this.#client.call(list, { cellName });
      default:
        return ask satisfies never;
    }
  }
}
