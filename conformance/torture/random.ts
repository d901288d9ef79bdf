/** Numbers that look random and are the same for the same seed and step, whatever was drawn elsewhere. */
export class Random {
  #state: number;

  constructor(...labels: readonly number[]) {
    this.#state = labels.reduce((state, label) => mix(state ^ mix(label)), 0x9e37_79b9);
  }

  /** An integer from 0 to one less than the bound. */
  below(bound: number): number {
    this.#state = (this.#state + 0x9e37_79b9) | 0;
    return (mix(this.#state) >>> 0) % bound;
  }

  isBelow(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.below(items.length)] ?? items[0];
  }

  /** One of the kinds, each as often as its weight says. */
  weighted<Kind extends string>(weights: Readonly<Record<Kind, number>>): Kind {
    const entries = Object.entries<number>(weights) as [Kind, number][];
    let left = this.below(entries.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [kind, weight] of entries) {
      if (left < weight) return kind;
      left -= weight;
    }
    throw new Error("Cannot choose: there is no weight");
  }
}

/** Murmur3's finalizer: every bit of the answer depends on every bit of the question. */
function mix(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}
