import { Failure, type FailureReason, type Violation } from "./errors.ts";

/** What a parse function answers for a text that it refuses: the end of "… must …". */
export interface Wrong {
  readonly wrong: string;
}

/** Collects all that is wrong with a request, so that its sender learns it in one go. */
export class Violations {
  readonly #found: Violation[] = [];

  /** Note one. The field is its path in the proto, the description a sentence without its subject. */
  add(field: string, reason: FailureReason, description: string): void {
    this.#found.push({ field, reason, description });
  }

  /** The value, or undefined when it is wrong, which is noted. */
  take<T>(field: string, reason: FailureReason, parsed: T | Wrong): T | undefined {
    if (!isWrong(parsed)) return parsed;
    this.add(field, reason, parsed.wrong);
    return undefined;
  }

  /** @throws Failure `invalid` with every violation, if there is one */
  throwIfAny(action: string): void {
    const [first, ...others] = this.#found;
    if (first === undefined) return;
    const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
    throw new Failure(
      "invalid",
      first.reason,
      `Cannot ${action}: ${first.field} ${first.description}${more}`,
      {
        violations: this.#found,
      },
    );
  }
}

function isWrong(parsed: unknown): parsed is Wrong {
  return typeof parsed === "object" && parsed !== null && "wrong" in parsed;
}
