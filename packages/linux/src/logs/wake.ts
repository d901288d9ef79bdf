/**
 * One waiter, woken by whatever happens first. What happens before it waits is not lost. (A race of
 * promises would grow with each turn: those that stay pending keep every race they were in.)
 */
export class Wake {
  #isRaised = false;
  #resume: (() => void) | undefined;

  readonly raise = (): void => {
    this.#isRaised = true;
    this.#resume?.();
  };

  /** Forget what has happened. Before one looks, so that nothing is missed between. */
  reset(): void {
    this.#isRaised = false;
  }

  async wait(): Promise<void> {
    if (this.#isRaised) return;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
    });
    this.#resume = undefined;
  }
}
