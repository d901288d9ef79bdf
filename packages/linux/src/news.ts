import type { EnclosureWatcher } from "@aurae/domain/cells";

type Telling = (watcher: EnclosureWatcher) => void;

/**
 * What a cell has to tell its owner, in order. Until somebody listens it is kept; and while one piece
 * waits for the kernel, those behind it wait too.
 */
export class News {
  #watcher: EnclosureWatcher | undefined;
  #untold: Telling[] = [];
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  attach(watcher: EnclosureWatcher): void {
    this.#watcher = watcher;
    const untold = this.#untold;
    this.#untold = [];
    for (const tell of untold) tell(watcher);
  }

  /** Tell at once, unless something before it waits. */
  tell(telling: Telling): void {
    if (this.#waiting === 0) return this.#tellNow(telling);
    this.tellAfter(() => Promise.resolve(), telling);
  }

  /** Tell when the work is done, which must not fail. */
  tellAfter(work: () => Promise<void>, telling: Telling): void {
    this.#waiting++;
    this.#last = this.#last.then(work).then(() => {
      this.#waiting--;
      this.#tellNow(telling);
    });
  }

  /** Resolves when all that was known when it was called has been told. */
  get told(): Promise<void> {
    return this.#last;
  }

  #tellNow(telling: Telling): void {
    if (this.#watcher === undefined) this.#untold.push(telling);
    else telling(this.#watcher);
  }
}
