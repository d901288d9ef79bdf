import type { Answer } from "./answer.ts";
import type { RequestMark } from "./request-mark.ts";

/** An answer, and to what. */
export interface RememberedAnswer {
  readonly mark: RequestMark;
  readonly answer: Answer;
}

/** Answers beyond this number may be forgotten, the oldest first. */
export const rememberedAnswers = 4096;

/**
 * What outlives the daemon of the requests that were answered. It is the host's: what an effect leaves
 * on the machine bears the mark of its request, so that no moment to die in parts the two.
 */
export interface RequestMemory {
  /** The answer to the request with that key, if one is remembered. */
  recall(key: string): RememberedAnswer | undefined;

  /**
   * Room for one answer more, until it is disposed: whoever has it can note one.
   *
   * @throws Failure `exhausted`, `host`
   */
  reserve(): Disposable;

  /** Remember an answer. It never throws: what cannot be written is remembered as long as we live. */
  note(mark: RequestMark, answer: Answer): void;
}
