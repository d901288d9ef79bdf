import type { Answer } from "./answer.ts";
import type { RequestMark } from "./request-mark.ts";
import type { RememberedAnswer, RequestMemory } from "./request-memory.ts";

/** A memory that nothing outlives, for tests; it says how much room is taken, and can be full. */
export class FakeMemory implements RequestMemory {
  readonly answers: Map<string, RememberedAnswer> = new Map();
  /** Thrown by the next that asks for room, and by all after it. */
  full: Error | undefined;
  reserved = 0;

  recall(key: string): RememberedAnswer | undefined {
    return this.answers.get(key);
  }

  reserve(): Disposable {
    if (this.full !== undefined) throw this.full;
    this.reserved += 1;
    return {
      [Symbol.dispose]: () => {
        this.reserved -= 1;
      },
    };
  }

  note(mark: RequestMark, answer: Answer): void {
    this.answers.set(mark.key, { mark, answer });
  }
}
