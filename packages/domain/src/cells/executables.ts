import { Failure } from "../errors.ts";
import { Executable } from "./executable.ts";
import type { ExecutableName, ExecutableSpec } from "./executable-spec.ts";
import type { RunReport } from "./host.ts";
import { Run } from "./run.ts";
import { toShown } from "./shown-executable.ts";

/** Executables of a cell that have ended and are remembered; beyond it the oldest are forgotten. */
const rememberedEnded = 1024;

/** The executables of one cell by name, and the numbers of their runs. */
export class Executables implements Iterable<Executable> {
  /** In the order of their latest start. */
  readonly #byName = new Map<ExecutableName, Executable>();
  #lastRun = 0;

  [Symbol.iterator](): Iterator<Executable> {
    return this.#byName.values();
  }

  /** The run of that number, or the latest. @throws Failure `not-found` */
  run(name: ExecutableName, number?: number): Run {
    const executable = this.#byName.get(name);
    const metadata = { executable: name };
    if (executable?.latest === undefined) {
      const why = "the cell has none of that name";
      const message = `Cannot find executable "${name}": ${why}`;
      throw new Failure("not-found", "EXECUTABLE_NOT_FOUND", message, { metadata });
    }
    const run = number === undefined ? executable.latest : executable.run(number);
    if (run !== undefined) return run;
    const message = `Cannot find run ${number} of "${name}": it is not remembered`;
    throw new Failure("not-found", "RUN_NOT_FOUND", message, { metadata });
  }

  /** The run of that number, if it is remembered. */
  find(name: ExecutableName, number: number): Run | undefined {
    return this.#byName.get(name)?.run(number);
  }

  /** Claim a name and a number for a new run. */
  begin(spec: ExecutableSpec): Run {
    const executable = this.#byName.get(spec.name) ?? new Executable(spec.name);
    const run = executable.begin(this.#lastRun + 1, spec);
    this.#lastRun = run.number;
    this.#touch(executable);
    this.#forgetOldest();
    return run;
  }

  /** Give up the claim of a run that the host refused. */
  forget(run: Run): void {
    const executable = this.#byName.get(run.executable.name);
    executable?.forget(run);
    if (executable?.latest === undefined) this.#byName.delete(run.executable.name);
  }

  /** Take a run that an earlier daemon began. */
  adopt(report: RunReport, spec: ExecutableSpec): Run {
    const executable = this.#byName.get(spec.name) ?? new Executable(spec.name);
    const run = executable.add(new Run(report.run, toShown(spec)));
    run.changed(report);
    this.#lastRun = Math.max(this.#lastRun, report.run);
    this.#touch(executable);
    this.#forgetOldest();
    return run;
  }

  changed(report: RunReport): void {
    this.find(report.executable, report.run)?.changed(report);
  }

  #touch(executable: Executable): void {
    this.#byName.delete(executable.name);
    this.#byName.set(executable.name, executable);
  }

  #forgetOldest(): void {
    const ended = [...this.#byName.values()].filter(
      (executable) => !executable.latest?.hasProcesses,
    );
    for (const executable of ended.slice(0, Math.max(0, ended.length - rememberedEnded))) {
      this.#byName.delete(executable.name);
    }
  }
}
