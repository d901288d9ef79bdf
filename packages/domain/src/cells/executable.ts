import { Failure } from "../errors.ts";
import type { ExecutableName, ExecutableSpec } from "./executable-spec.ts";
import { Run } from "./run.ts";
import { toShown } from "./shown-executable.ts";

/** Runs of one executable that are remembered, the latest among them. */
const remembered = 8;

/** A name in a cell and its runs: one at a time, the latest last. */
export class Executable {
  readonly name: ExecutableName;
  #runs: readonly Run[] = [];

  constructor(name: ExecutableName) {
    this.name = name;
  }

  /** Undefined only until its first run has begun, or when that was refused. */
  get latest(): Run | undefined {
    return this.#runs.at(-1);
  }

  /** The run of that number, if it is remembered. */
  run(number: number): Run | undefined {
    return this.#runs.find((run) => run.number === number);
  }

  /** Claim the name for a new run; refused while the last one, or what it left, is there. */
  begin(number: number, spec: ExecutableSpec): Run {
    const metadata = { executable: this.name };
    if (this.latest?.isLive) {
      throw new Failure(
        "exists",
        "EXECUTABLE_EXISTS",
        `Cannot start "${this.name}": it is running`,
        { metadata },
      );
    }
    if (this.latest?.hasProcesses) {
      const why = "its last run left processes behind; Stop ends them";
      throw new Failure(
        "wrong-state",
        "EXECUTABLE_TREE_ALIVE",
        `Cannot start "${this.name}": ${why}`,
        { metadata },
      );
    }
    return this.add(new Run(number, toShown(spec)));
  }

  /** Take a run that is known already. */
  add(run: Run): Run {
    // The one before it is the latest again when this one is refused.
    for (const earlier of this.#runs.slice(0, -1)) earlier.superseded();
    this.#runs = [...this.#runs, run].slice(-remembered);
    return run;
  }

  /** Forget a run that was refused. */
  forget(run: Run): void {
    this.#runs = this.#runs.filter((other) => other !== run);
  }
}
