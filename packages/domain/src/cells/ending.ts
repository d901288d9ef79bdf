import type { Enclosure } from "./host.ts";

/**
 * The end of an enclosure, which can be hurried: the host is asked again, with the nearer deadline.
 * One answer that nothing is left is enough; when all that were asked for fail, the last failure counts.
 */
export class Ending {
  readonly #enclosure: Enclosure;
  readonly #done = Promise.withResolvers<void>();
  #graceMs: number;
  #deadlineMs: number;
  /** Calls of the host that have not answered. */
  #open = 0;
  #hasBegun = false;
  #isDone = false;

  constructor(enclosure: Enclosure, graceMs: number) {
    this.#enclosure = enclosure;
    this.#graceMs = graceMs;
    this.#deadlineMs = performance.now() + graceMs;
  }

  /** Called once, when what is inside the enclosure has ended. Resolves when nothing is left. */
  begin(): Promise<void> {
    this.#hasBegun = true;
    this.#ask();
    return this.#done.promise;
  }

  /** Take the grace if it ends sooner. @returns whether it does */
  hurry(graceMs: number): boolean {
    const deadlineMs = performance.now() + graceMs;
    if (deadlineMs >= this.#deadlineMs) return false;
    this.#graceMs = graceMs;
    this.#deadlineMs = deadlineMs;
    if (this.#hasBegun && !this.#isDone) this.#ask();
    return true;
  }

  #ask(): void {
    this.#open += 1;
    this.#enclosure.end(this.#graceMs).then(
      () => {
        this.#isDone = true;
        this.#done.resolve();
      },
      (cause: unknown) => {
        this.#open -= 1;
        if (this.#open > 0 || this.#isDone) return;
        this.#isDone = true;
        this.#done.reject(cause);
      },
    );
  }
}
