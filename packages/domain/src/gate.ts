import { Failure } from "./errors.ts";

/**
 * Something that happens once, and who waits for it. Unlike a promise it forgets a waiter that has
 * left, so that a million short waits for one far event cost nothing.
 */
export class Gate {
  #isOpen = false;
  readonly #waiting = new Set<() => void>();

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** A gate that is open from the start. */
  static opened(): Gate {
    const gate = new Gate();
    gate.open();
    return gate;
  }

  /** It has happened. A second time does nothing. */
  open(): void {
    this.#isOpen = true;
    for (const pass of this.#waiting) pass();
    this.#waiting.clear();
  }

  /** Call back once when it opens, at once if it is open. @returns what takes the callback back */
  onOpen(callback: () => void): () => void {
    if (this.#isOpen) {
      callback();
      return () => undefined;
    }
    // A wrapper of its own, so that the same callback may wait twice.
    function pass(): void {
      callback();
    }
    this.#waiting.add(pass);
    return () => this.#waiting.delete(pass);
  }

  /** Resolves when it is open. @throws Failure `cancelled` when the signal aborts first */
  async wait(signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    function onAbort(): void {
      reject(callerLeft(signal));
    }
    const forget = this.onOpen(resolve);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      forget();
      signal.removeEventListener("abort", onAbort);
    }
  }
}

/** For the first line of a mutation: a caller that has left before any side effect is not served. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw callerLeft(signal);
}

function callerLeft(signal: AbortSignal): Failure {
  return new Failure("cancelled", "CALLER_LEFT", "Cannot go on: the caller has left", {
    cause: signal.reason,
  });
}
