/** Something to measure. */
export interface Work {
  readonly name: string;
  /** What a reader would type to do the same. */
  readonly command: string;
  /** Do it so many times, one after another; milliseconds of each. */
  times(count: number): Promise<readonly number[]>;
}

export interface Measured {
  readonly work: Work;
  /** The median of each round, milliseconds. */
  readonly medians: readonly number[];
  readonly p90: number;
}

/**
 * Measure every work in each round, so that what else the machine does falls on all of them alike.
 * The first round warms up and does not count.
 */
export async function measure(
  works: readonly Work[],
  rounds: number,
  count: number,
): Promise<readonly Measured[]> {
  const taken = new Map<Work, (readonly number[])[]>(works.map((work) => [work, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const work of works) {
      const times = await work.times(count);
      if (round > 0) taken.get(work)?.push(times);
    }
  }
  return [...taken].map(([work, all]) => ({
    work,
    medians: all.map((times) => quantile(times, 0.5)),
    p90: quantile(all.flat(), 0.9),
  }));
}

/** How many times longer one took than another: the median over the rounds of the ratio within each. */
export function ratio(one: Measured, other: Measured): number {
  return quantile(
    one.medians.map((median, round) => median / (other.medians[round] ?? Number.NaN)),
    0.5,
  );
}

export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** A work that is a function of ours, timed here. */
export function timed(name: string, command: string, once: () => Promise<void>): Work {
  return {
    ...{ name, command },
    async times(count) {
      const times: number[] = [];
      for (let done = 0; done < count; done++) {
        const begun = performance.now();
        await once();
        times.push(performance.now() - begun);
      }
      return times;
    },
  };
}
