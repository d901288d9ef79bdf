/** What a failpoint does when it is reached. */
export type Action =
  | { readonly kind: "off" | "kill" | "panic" | "pause" | "print" }
  | { readonly kind: "error"; readonly code: string };

/** An action, and how often; without a number for ever. */
interface Term {
  readonly times: number;
  readonly action: Action;
}

/**
 * What is planned for the points that are named, by the grammar of FreeBSD's fail(9):
 * `name=[N*]action->[N*]action;name=…`, with white space as one likes.
 */
export class Plan {
  readonly #terms: ReadonlyMap<string, readonly Term[]>;
  readonly #reached = new Map<string, number>();

  /** @throws Error that says what is not understood: a plan that is misspelled must not pass as none */
  constructor(text: string) {
    const lines = text.split(";").map((line) => line.replaceAll(/\s/g, ""));
    this.#terms = new Map(lines.filter(Boolean).map(parseLine));
  }

  /** What to do at a point that has been reached once more. */
  next(name: string): Action {
    let times = this.#reached.get(name) ?? 0;
    this.#reached.set(name, times + 1);
    for (const term of this.#terms.get(name) ?? []) {
      if (times < term.times) return term.action;
      times -= term.times;
    }
    return { kind: "off" };
  }
}

function parseLine(line: string): readonly [string, readonly Term[]] {
  const [name = "", terms, ...more] = line.split("=");
  if (terms === undefined || more.length > 0) throw new Error(`Cannot read failpoint "${line}"`);
  return [name, terms.split("->").map(parseTerm)];
}

function parseTerm(text: string): Term {
  const found = /^(?:(\d+)\*)?(?:(off|kill|panic|pause|print)|error\((E[A-Z0-9]+)\))$/.exec(text);
  if (found === null) throw new Error(`Cannot read the term "${text}" of a failpoint`);
  const [, times, kind, code] = found;
  const action = code === undefined ? { kind: kind as "off" } : { kind: "error" as const, code };
  return { times: times === undefined ? Number.POSITIVE_INFINITY : Number(times), action };
}
