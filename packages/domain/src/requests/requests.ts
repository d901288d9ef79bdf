import { Failure } from "../errors.ts";
import { Gate, throwIfAborted } from "../gate.ts";
import type { Answer, AnswerOf } from "./answer.ts";
import { type RequestMark, requireSame } from "./request-mark.ts";
import type { RequestMemory } from "./request-memory.ts";

/** A request that is being answered, and who waits for that. */
interface UnderWay {
  readonly mark: RequestMark;
  readonly settled: Gate;
  /** Rejects when it was not done. */
  readonly outcome: Promise<unknown>;
}

/**
 * Requests that are done once, however often they are sent.
 *
 *     unknown ──once()──▶ under way ──done──▶ remembered: a repeat is given the answer
 *        ▲                    └──failed──┐
 *        └───────────────────────────────┘   nothing was done: a repeat acts
 */
export class Requests {
  readonly #memory: RequestMemory;
  readonly #underWay = new Map<string, UnderWay>();

  constructor(memory: RequestMemory) {
    this.#memory = memory;
  }

  /**
   * Do what is asked for, or answer what was answered the first time. A repeat waits while the first is
   * under way, and shares its failure. A request without a mark is done each time.
   *
   * @throws Failure `invalid` when the mark is that of another request; `cancelled` when the signal
   *   aborts a repeat that waits; `exhausted` when an answer could not be remembered
   */
  async once<Kind extends Answer["kind"]>(
    kind: Kind,
    mark: RequestMark | undefined,
    act: () => Promise<AnswerOf<Kind>>,
    signal: AbortSignal,
  ): Promise<AnswerOf<Kind>> {
    if (mark === undefined) return act();
    for (;;) {
      throwIfAborted(signal);
      const known = this.#recall(kind, mark);
      if (known !== undefined) return known;
      const first = this.#underWay.get(mark.key);
      if (first === undefined) return this.#first(kind, mark, act);
      requireSame(first.mark, mark);
      await first.settled.wait(signal);
      await first.outcome.catch(shareFailure);
    }
  }

  #recall<Kind extends Answer["kind"]>(kind: Kind, mark: RequestMark): AnswerOf<Kind> | undefined {
    const known = this.#memory.recall(mark.key);
    if (known === undefined) return undefined;
    requireSame(known.mark, mark);
    if (isOf(kind, known.answer)) return known.answer;
    throw new TypeError(`Cannot answer ${kind}: the request was ${known.answer.kind}`);
  }

  #first<Kind extends Answer["kind"]>(
    kind: Kind,
    mark: RequestMark,
    act: () => Promise<AnswerOf<Kind>>,
  ): Promise<AnswerOf<Kind>> {
    const settled = new Gate();
    const outcome = this.#act(kind, mark, act).finally(() => {
      this.#underWay.delete(mark.key);
      settled.open();
    });
    this.#underWay.set(mark.key, { mark, settled, outcome });
    return outcome;
  }

  async #act<Kind extends Answer["kind"]>(
    kind: Kind,
    mark: RequestMark,
    act: () => Promise<AnswerOf<Kind>>,
  ): Promise<AnswerOf<Kind>> {
    using _room = this.#reserve(kind);
    const answer = await act();
    // The host has noted it already when the effect leaves nothing to bear the mark.
    if (this.#memory.recall(mark.key) === undefined) this.#memory.note(mark, answer);
    return answer;
  }

  /** What ends something goes on without room: on a full disk it is what makes some. */
  #reserve(kind: Answer["kind"]): Disposable | undefined {
    try {
      return this.#memory.reserve();
    } catch (cause) {
      if (kind === "allocated" || kind === "started") throw cause;
      return undefined;
    }
  }
}

/** Unless only its caller left: ours has not. */
function shareFailure(cause: unknown): void {
  if (!(cause instanceof Failure) || cause.kind !== "cancelled") throw cause;
}

function isOf<Kind extends Answer["kind"]>(kind: Kind, answer: Answer): answer is AnswerOf<Kind> {
  return answer.kind === kind;
}
