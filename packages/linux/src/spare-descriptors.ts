import { closeSync, openSync } from "node:fs";

/** Two directories inside each other are read at most, each through one descriptor. */
const count = 4;

/** Descriptors that are kept for ending cells when no other is left (fault 27). */
export class SpareDescriptors implements Disposable {
  #held: number[] = [];

  constructor() {
    this.#hold();
  }

  /**
   * Remove something, at once; when it fails, once more with the spare ones. Why it failed is not
   * asked: of rmSync() Node tells no code for EMFILE.
   */
  lend<Value>(remove: () => Value): Value {
    try {
      return remove();
    } catch {
      // If it was another reason, that comes again.
    }
    this[Symbol.dispose]();
    try {
      return remove();
    } finally {
      this.#hold();
    }
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#held) closeSync(descriptor);
    this.#held = [];
  }

  #hold(): void {
    try {
      while (this.#held.length < count) this.#held.push(openSync("/dev/null", "r"));
    } catch {
      // Fewer will do; who comes next tries again.
    }
  }
}
