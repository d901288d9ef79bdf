/** Changes the state at one moment: which states may come of it. None: it cannot have happened there. */
export type Step<State> = (state: State) => readonly State[];

/** A call, and what its answer allows to have happened between the two. */
export interface Operation<State> {
  readonly name: string;
  /** On one clock for all operations. */
  readonly calledAt: number;
  readonly answeredAt: number;
  /** One of these came to pass, its steps in order, and perhaps steps of others between them. */
  readonly ways: readonly (readonly Step<State>[])[];
  /** Who served it was gone at `answeredAt`: it may have stopped before or after any step. */
  readonly isCut?: boolean;
}

/**
 * Whether the operations can be put into an order that explains every answer: one after another where one
 * was answered before the other was called, any way else (Wing and Gong, with what was tried remembered).
 */
export function isLinearizable<State>(
  operations: readonly Operation<State>[],
  initial: State,
): boolean {
  const tried = new Set<string>();
  const begun = operations.map((operation) => ({ operation, way: 0, done: 0 }));
  return explain(initial);

  function explain(state: State): boolean {
    const open = begun.filter((each) => !isOver(each));
    if (open.length === 0) return true;
    const key = `${begun.map(({ way, done }) => `${way}.${done}`).join()} ${JSON.stringify(state)}`;
    if (tried.has(key)) return false;
    tried.add(key);
    const firstAnswer = Math.min(...open.map(({ operation }) => operation.answeredAt));
    const lastCall = Math.max(
      ...begun.map(({ operation, done }) => (done > 0 ? operation.calledAt : 0)),
    );
    return begun.some((each) => {
      const { calledAt, answeredAt, ways } = each.operation;
      // Something was answered before this was called and waits for its turn; or has come after it.
      if (calledAt > firstAnswer || answeredAt < lastCall) return false;
      if (each.done > 0) return advance(each, state);
      return ways.some((_, way) => {
        each.way = way;
        return advance(each, state);
      });
    });
  }

  function advance(each: Begun<State>, state: State): boolean {
    const step = each.operation.ways[each.way]?.[each.done];
    if (step === undefined) return false;
    each.done += 1;
    const isExplained = step(state).some(explain);
    each.done -= 1;
    return isExplained;
  }
}

interface Begun<State> {
  readonly operation: Operation<State>;
  way: number;
  /** Steps of that way. */
  done: number;
}

function isOver<State>({ operation, way, done }: Begun<State>): boolean {
  return operation.isCut === true || done === operation.ways[way]?.length;
}
