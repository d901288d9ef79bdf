import { type FindingKind, findingKinds } from "./findings.ts";

/** What a torture has done, and what it has found. */
export class Counts {
  /** Of the daemon: at a random moment, at a named point, while it was starting. */
  readonly kills: Record<"random" | "named" | "starting" | "supervisor" | "init", number> = {
    ...{ random: 0, named: 0, starting: 0, supervisor: 0, init: 0 },
  };
  seeds = 0;
  rounds = 0;
  cells = 0;
  runs = 0;
  lines = 0;
  readonly found: Record<FindingKind, number>;

  constructor() {
    this.found = Object.fromEntries(findingKinds.map((kind) => [kind, 0])) as typeof this.found;
  }

  get isClean(): boolean {
    return Object.values(this.found).every((count) => count === 0);
  }

  /** The kills of the daemon and of supervisors. */
  get killsOfDaemonAndSupervisors(): number {
    const { random, named, starting, supervisor } = this.kills;
    return random + named + starting + supervisor;
  }

  toJSON(): object {
    const { kills, seeds, rounds, cells, runs, lines, found } = this;
    const { random, named, starting, supervisor, init } = kills;
    const daemon = random + named + starting;
    return {
      kills: { daemon, random, named, starting, supervisor, init },
      ...{ seeds, rounds, cells, runs, lines },
      ...found,
    };
  }
}
