const heard = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

type Heard = (typeof heard)[number];

const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const satisfies Record<Heard, number>;

/**
 * The signals that ask us to leave, while something has to be tidied up first. The first asks, the
 * second forces, and the third ends this process at once.
 */
export class Interrupts implements Disposable {
  /** Aborts with the first signal. */
  readonly asked: AbortSignal;
  /** Aborts with the second. */
  readonly forced: AbortSignal;
  readonly #asked = new AbortController();
  readonly #forced = new AbortController();
  #exitCode = 0;

  constructor() {
    this.asked = this.#asked.signal;
    this.forced = this.#forced.signal;
    for (const name of heard) process.on(name, this.#hear);
  }

  /** 128 + the first signal, as a shell says it. */
  get exitCode(): number {
    return this.#exitCode;
  }

  [Symbol.dispose](): void {
    for (const name of heard) process.off(name, this.#hear);
  }

  readonly #hear = (name: Heard): void => {
    if (!this.asked.aborted) {
      this.#exitCode = 128 + numbers[name];
      this.#asked.abort();
    } else if (!this.forced.aborted) this.#forced.abort();
    else process.exit(128 + numbers[name]);
  };
}
