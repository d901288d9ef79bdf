/** What the daemon is told by signals, from the moment this is made. */
export class Signals implements Disposable {
  /** Resolves with the first signal that asks to stop. */
  readonly stopped: Promise<NodeJS.Signals>;
  readonly #onStop: (signal: NodeJS.Signals) => void;
  readonly #onHangUp: () => void;
  #reload: (() => void) | undefined;
  #isReloadDue = false;

  /** A second signal to stop, while the first is being followed, calls `hurry`. */
  constructor(hurry: () => void) {
    const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
    this.stopped = promise;
    let isStopping = false;
    this.#onStop = (signal) => {
      if (isStopping) hurry();
      isStopping = true;
      resolve(signal);
    };
    this.#onHangUp = () => {
      if (this.#reload === undefined) this.#isReloadDue = true;
      else this.#reload();
    };
    process.on("SIGTERM", this.#onStop).on("SIGINT", this.#onStop).on("SIGHUP", this.#onHangUp);
  }

  /** What SIGHUP does from now on; one that came before is made up for. */
  onReload(reload: () => void): void {
    this.#reload = reload;
    if (this.#isReloadDue) reload();
    this.#isReloadDue = false;
  }

  [Symbol.dispose](): void {
    process.off("SIGTERM", this.#onStop).off("SIGINT", this.#onStop).off("SIGHUP", this.#onHangUp);
  }
}
