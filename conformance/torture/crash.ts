import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { crashSteps, recoverySteps, shimSteps } from "@aurae/domain/failpoint-names";
import { WireClient } from "../client.ts";
import { type DaemonOptions, spawnDaemon } from "../daemon.ts";
import type { Operation } from "./operation.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/** Every daemon here is of the build with failpoints. */
export const daemonOptions: DaemonOptions = { failpoints: true };

/** The steps that the daemon takes itself, by the request that comes to them. */
function pointsOf(asked: readonly (readonly Operation[])[]): readonly string[] {
  const kinds = new Set(asked.flat().map(({ kind }) => kind as string));
  const inShim = new Set<string>(shimSteps);
  return crashSteps.filter((step) => kinds.has(step.split(".")[0] ?? "") && !inShim.has(step));
}

/** How the daemon dies in a round, and how often it dies again while it starts. */
export interface Crash {
  readonly how:
    | { readonly answers: number; readonly afterMs: number }
    | { readonly point: string; readonly after: number };
  readonly again: readonly ({ readonly afterMs: number } | { readonly point: string })[];
}

/** Most rounds have one. A point is one that what is asked for can come to. */
export function drawCrash(
  random: Random,
  asked: readonly (readonly Operation[])[],
): Crash | undefined {
  if (!random.isBelow(85)) return undefined;
  const [first, ...more] = pointsOf(asked);
  const how =
    random.isBelow(45) && first !== undefined
      ? { point: random.pick([first, ...more]), after: random.below(2) }
      : { answers: random.below(12), afterMs: random.below(random.pick([4, 15, 60])) };
  const again = Array.from({ length: random.isBelow(50) ? 1 + random.below(2) : 0 }, () =>
    random.isBelow(40)
      ? { point: random.pick(recoverySteps) }
      : { afterMs: 20 + random.below(500) },
  );
  return { how, again };
}

/** Ends the daemon of a world in the middle of what it does, and brings it back. */
export class Crasher {
  readonly #world: World;
  readonly #plan: string;
  #answers = 0;
  #wake = (): void => undefined;

  constructor(world: World) {
    this.#world = world;
    this.#plan = planOf(world.daemon.directory);
  }

  /** Something was answered. */
  answered(): void {
    this.#answers += 1;
    this.#wake();
  }

  /** Kill the daemon while the work goes on, and return when both are over. */
  async during<Result>({ how }: Crash, work: () => Promise<Result>): Promise<Result> {
    const { daemon, counts } = this.#world;
    if ("point" in how) {
      this.#arm(how.point, how.after);
      const result = await work();
      // A point that nobody came to: then it dies here, with nothing in flight.
      const isNamed = !daemon.isRunning() || !(await this.#kill());
      counts.kills[isNamed ? "named" : "random"] += 1;
      this.#disarm();
      await daemon.ended;
      return result;
    }
    const over = new AbortController();
    const dying = this.#dieAfter(how, over.signal);
    const result = await work();
    over.abort();
    await dying;
    counts.kills.random += 1;
    await daemon.ended;
    return result;
  }

  /** Bring it back, through as many deaths as are planned. */
  async restart({ again }: Crash): Promise<void> {
    const { counts, client, daemon } = this.#world;
    client[Symbol.dispose]();
    for (const death of again) {
      const isEarly = await this.#startAndDie(daemon.directory, death);
      const kind = "point" in death ? "named" : "starting";
      counts.kills[isEarly ? kind : "random"] += 1;
    }
    const next = await spawnDaemon(daemon.directory, daemonOptions);
    this.#world.daemon = next;
    this.#world.client = new WireClient(next);
  }

  /** After so many answers, and a moment more; at the latest when all is over. */
  async #dieAfter(
    { answers, afterMs }: { readonly answers: number; readonly afterMs: number },
    over: AbortSignal,
  ): Promise<void> {
    await new Promise<void>((resolve) => {
      over.addEventListener("abort", () => resolve());
      this.#wake = () => {
        if (this.#answers >= answers) resolve();
      };
      this.#wake();
    });
    await delay(afterMs);
    await this.#kill();
  }

  /** @returns whether it was killed before it served */
  async #startAndDie(directory: string, death: Crash["again"][number]): Promise<boolean> {
    if ("point" in death) this.#arm(death.point, 0);
    const spawned = Promise.withResolvers<number>();
    const starting = spawnDaemon(directory, { ...daemonOptions, spawned: spawned.resolve });
    const killing = "point" in death ? undefined : killAfter(death.afterMs, spawned.promise);
    const daemon = await starting.catch(() => undefined);
    await killing;
    this.#disarm();
    if (daemon === undefined) return true;
    // It was faster than its killer, or nobody came to the point: there is nothing to recover.
    if (daemon.isRunning()) process.kill(daemon.pid, "SIGKILL");
    await daemon.ended;
    return false;
  }

  /** @returns whether it had to be killed */
  async #kill(): Promise<boolean> {
    const { daemon } = this.#world;
    if (!daemon.isRunning()) return false;
    process.kill(daemon.pid, "SIGKILL");
    await daemon.ended;
    return true;
  }

  #arm(point: string, after: number): void {
    writeFileSync(`${this.#plan}.new`, `${point}=${after > 0 ? `${after}*off->` : ""}1*kill`);
    renameSync(`${this.#plan}.new`, this.#plan);
  }

  #disarm(): void {
    rmSync(this.#plan, { force: true });
  }
}

async function killAfter(afterMs: number, spawned: Promise<number>): Promise<void> {
  const pid = await spawned;
  await delay(afterMs);
  // It may have ended by itself, and then it is nobody's to kill.
  if (existsSync(`/proc/${pid}/exe`)) process.kill(pid, "SIGKILL");
}

/** The daemon has its plan where its state is. */
function planOf(directory: string): string {
  return `${directory}/run/failpoints`;
}
