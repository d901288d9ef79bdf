import { setTimeout as delay } from "node:timers/promises";
import { CellService } from "@aurae/api/runtime";
import { WireClient } from "../client.ts";
import { type Daemon, spawnDaemon, startDaemon } from "../daemon.ts";
import { leaksOfIdle } from "../oracle/idle.ts";
import { takeCensus } from "../oracle/oracle.ts";
import { compare } from "./compare.ts";
import type { Counts } from "./counts.ts";
import { Crasher, daemonOptions, drawCrash } from "./crash.ts";
import { type Finding, finding } from "./findings.ts";
import { checkLog } from "./logs.ts";
import { Model } from "./model.ts";
import { drawRound, type Operation } from "./operation.ts";
import { perform, type Unanswered } from "./perform.ts";
import { Random } from "./random.ts";
import { settle } from "./settle.ts";
import type { World } from "./world.ts";

/** What ends by itself may take so long until all is as the model has it. */
const settleMs = 10_000;
const lookEveryMs = 20;

/** One seed: a daemon on a fresh directory, tortured for so many rounds, then freed of all it has. */
export class Seed {
  readonly #seed: number;
  readonly #counts: Counts;
  readonly #report: (line: string) => void;
  #place = "at the start";
  #isFine = true;
  readonly #steps: string[] = [];

  constructor(seed: number, counts: Counts, report: (line: string) => void) {
    this.#seed = seed;
    this.#counts = counts;
    this.#report = report;
  }

  /** Ends early, between two rounds, when the signal says so. @returns whether nothing was wrong */
  async run(rounds: number, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#run(rounds, signal);
    } catch (cause) {
      this.#tell([finding("broken", inWords(cause))]);
    }
    this.#counts.seeds += 1;
    if (!this.#isFine) for (const step of this.#steps) this.#report(`  ${step}`);
    return this.#isFine;
  }

  async #run(rounds: number, signal: AbortSignal): Promise<void> {
    await using first = await startDaemon(daemonOptions);
    const fresh = takeCensus({ directory: first.directory, daemon: first.pid });
    const client = new WireClient(first);
    const findings: Finding[] = [];
    const world: World = {
      ...{
        daemon: first,
        client,
        model: new Model(),
        counts: this.#counts,
        findings,
        steps: this.#steps,
      },
    };
    try {
      for (let round = 1; round <= rounds && !signal.aborted; round++) {
        this.#place = `in round ${round}`;
        await this.#round(world, new Random(this.#seed, round));
        // What comes after a mistake says nothing any more.
        if (findings.length > 0) return;
      }
      this.#place = "at the end";
      await this.#freeAll(world);
      world.client[Symbol.dispose]();
      const { daemon } = world;
      const watched = { directory: daemon.directory, daemon: daemon.pid };
      const leaks = await leaksOfIdle(daemon, watched, fresh);
      findings.push(...leaks.map((leak) => finding("leaks", leak)));
    } finally {
      this.#tell(findings);
      world.client[Symbol.dispose]();
      await end(world, first);
    }
  }

  async #round(world: World, random: Random): Promise<void> {
    this.#counts.rounds += 1;
    const asked = drawRound(random);
    const crash = drawCrash(random, asked);
    world.steps.push(`${this.#place}: ${JSON.stringify(crash ?? "no crash")}`);
    const crasher = new Crasher(world);
    async function work(): Promise<readonly Unanswered[]> {
      const ends = asked.map((operations) => inTurn(world, operations, () => crasher.answered()));
      return (await Promise.all(ends)).flat();
    }
    if (crash === undefined) {
      await work();
    } else {
      const unanswered = await crasher.during(crash, work);
      await crasher.restart(crash);
      const { cells } = await world.client.call(CellService.method.list, {});
      settle(world, unanswered, cells);
    }
    world.findings.push(...(await settledFindings(world)));
  }

  /** Free every cell, each log read once more. */
  async #freeAll(world: World): Promise<void> {
    for (const cell of world.model.cells.values())
      for (const run of cell.runs) await checkLog(world, cell, run);
    for (const cell of [...world.model.cells.keys()].filter((name) => !name.includes("/")))
      await perform(world, { kind: "free", cell, graceMs: 0 });
    world.findings.push(...(await settledFindings(world)));
  }

  #tell(findings: readonly Finding[]): void {
    for (const { kind, text } of findings) {
      this.#isFine = false;
      this.#counts.found[kind] += 1;
      this.#report(`seed ${this.#seed} ${this.#place}: ${kind}: ${text}`);
    }
  }
}

/** A seed that was broken off may have no daemon: another one frees what is left. */
async function end({ daemon }: World, first: Daemon): Promise<void> {
  const last = daemon.isRunning() ? daemon : await spawnDaemon(first.directory, daemonOptions);
  if (last !== first) await last[Symbol.asyncDispose]();
}

/** One after the other, until nobody answers. @returns what was not answered */
async function inTurn(
  world: World,
  operations: readonly Operation[],
  answered: () => void,
): Promise<readonly Unanswered[]> {
  for (const operation of operations) {
    const unanswered = await perform(world, operation);
    if (unanswered !== undefined) return [unanswered];
    answered();
  }
  return [];
}

/** What is wrong when nothing is on its way any more. */
async function settledFindings(world: World): Promise<readonly Finding[]> {
  const signal = AbortSignal.timeout(settleMs);
  for (;;) {
    const found = await compare(world);
    if (found.length === 0 || signal.aborted) return found;
    await delay(lookEveryMs);
  }
}

function inWords(cause: unknown): string {
  if (cause instanceof SuppressedError)
    return `${inWords(cause.suppressed)}; then ${inWords(cause.error)}`;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
