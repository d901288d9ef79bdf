import { Gate } from "@aurae/domain/observe";

/** Whether the node takes new work, for health to tell. It does until it is told otherwise. */
export class Readiness {
  #why: string | undefined;
  #changed = new Gate();

  get isReady(): boolean {
    return this.#why === undefined;
  }

  /** @param why no new work is taken; undefined when it is */
  set(why: string | undefined): void {
    this.#why = why;
    const changed = this.#changed;
    this.#changed = new Gate();
    changed.open();
  }

  /** Call back once when it changes. @returns what takes the callback back */
  onChange(callback: () => void): () => void {
    return this.#changed.onOpen(callback);
  }
}
