import { Refused } from "./shim/channel.ts";

/**
 * The stops of runs that are under way. The supervisor knows one for each run: a later one takes the
 * place of an earlier one, and what the last one waits for, all wait for.
 */
export class Stops {
  readonly #latest = new Map<number, Promise<void>>();

  /** Resolves when the latest stop of the run does; rejects as it does. */
  async settle(run: number, stopping: Promise<void>): Promise<void> {
    this.#latest.set(run, stopping);
    try {
      await this.#follow(run, stopping);
    } finally {
      if (this.#latest.get(run) === stopping) this.#latest.delete(run);
    }
  }

  async #follow(run: number, stopping: Promise<void>): Promise<void> {
    try {
      await stopping;
    } catch (cause) {
      const latest = this.#latest.get(run);
      if (!isReplaced(cause) || latest === undefined || latest === stopping) throw cause;
      await this.#follow(run, latest);
    }
  }
}

function isReplaced(cause: unknown): boolean {
  return cause instanceof Refused && cause.failed.step === "stop";
}
