import { Gate } from "../gate.ts";

/** A record that the daemon logged about itself. */
export interface LogRecord {
  /** Nanoseconds since the UNIX epoch. */
  readonly atNs: bigint;
  /** JSON, one line. */
  readonly text: string;
}

export interface HistoryQuery {
  /** False: end after what is remembered. */
  readonly follow: boolean;
  readonly sinceNs: bigint;
  /** At most so many of those remembered, the newest; undefined for all. */
  readonly tail: number | undefined;
}

/** Records kept for readers that come late. */
const remembered = 4096;

/**
 * What the daemon logged last, and what it logs now. A reader is a place in the sequence: one that
 * falls so far behind that its place is forgotten learns how many records it missed.
 */
export class LogHistory {
  readonly #records: LogRecord[] = [];
  /** The sequence number of the first record kept. */
  #first = 0;
  /** Opens with the next record. */
  #grown = new Gate();

  append(record: LogRecord): void {
    this.#records.push(record);
    if (this.#records.length > 2 * remembered)
      this.#first += this.#records.splice(0, remembered).length;
    const grown = this.#grown;
    this.#grown = new Gate();
    grown.open();
  }

  /** Records in order; `missed` counts those forgotten just before. Ends when the signal aborts. */
  async *read(
    query: HistoryQuery,
    signal: AbortSignal,
  ): AsyncGenerator<LogRecord & { readonly missed: number }, void> {
    const end = this.#first + this.#records.length;
    let next = Math.max(this.#first, end - Math.min(query.tail ?? remembered, remembered));
    while (!signal.aborted) {
      const missed = Math.max(0, this.#first - next);
      next += missed;
      const record = this.#records[next - this.#first];
      if (record !== undefined) {
        next += 1;
        if (record.atNs >= query.sinceNs) yield { ...record, missed };
      } else if (query.follow) {
        await this.#grown.wait(signal).catch(() => undefined); // Aborted: the loop ends.
      } else {
        return;
      }
    }
  }
}
