/** Something to measure. */
export interface Work {
  readonly name: string;
  /** What a reader would type to do the same. */
  readonly command: string;
  /** So often before the rounds, uncounted: Node compiles what is called often. */
  readonly warmUp: number;
  /** Do it so many times, one after another; milliseconds of each. */
  times(count: number): Promise<readonly number[]>;
}

export interface Measured {
  readonly work: Work;
  /** The median of each round, milliseconds. */
  readonly medians: readonly number[];
  readonly p90: number;
  /** CPU time of the daemon for each, milliseconds. */
  readonly daemonMs: number;
}

/**
 * Measure every work in each round, so that what else the machine does falls on all of them alike.
 * `cpuMs` tells what CPU time the daemon has used so far.
 */
export async function measure(
  works: readonly Work[],
  rounds: number,
  count: number,
  cpuMs: () => number,
): Promise<readonly Measured[]> {
  for (const work of works) if (work.warmUp > 0) await work.times(work.warmUp);
  const taken = works.map((work) => ({ work, times: [] as (readonly number[])[], usedMs: 0 }));
  for (let round = 0; round < rounds; round++) {
    for (const each of taken) {
      const before = cpuMs();
      each.times.push(await each.work.times(count));
      each.usedMs += cpuMs() - before;
    }
  }
  return taken.map(({ work, times, usedMs }) => ({
    work,
    medians: times.map((some) => quantile(some, 0.5)),
    p90: quantile(times.flat(), 0.9),
    daemonMs: usedMs / (rounds * count),
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
export function timed(
  work: Pick<Work, "name" | "command" | "warmUp">,
  once: () => Promise<void>,
): Work {
  return {
    ...work,
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
