import type { LogItem } from "@aurae/api/observe";

/** What a check found in the stream of a numbered writer. */
export interface LineCount {
  readonly lines: number;
  /** Numbers that never came. */
  readonly lost: number;
  /** Lines that came again, or late. */
  readonly doubled: number;
  /** What no numbered writer writes: cut, of another process, of another channel; and gaps that are told. */
  readonly foreign: number;
  /** Channels that said how many lines there were; all that came before was counted. */
  readonly ended: number;
}

const channels = ["out", "err"] as const;
type Channel = (typeof channels)[number];

/**
 * Demands 1, 2, 3 … on each channel of one numbered writer, once and in order. It keeps a few numbers,
 * however long the stream is.
 */
export class LineCheck {
  readonly #next = new Map<Channel, number>(channels.map((channel) => [channel, 1]));
  #pid: string | undefined;
  #lines = 0;
  #lost = 0;
  #doubled = 0;
  #foreign = 0;
  #ended = 0;

  get count(): LineCount {
    const [lines, lost, doubled] = [this.#lines, this.#lost, this.#doubled];
    return { lines, lost, doubled, foreign: this.#foreign, ended: this.#ended };
  }

  /** Take the next item of a stream of both channels. */
  take({ channel, line, partial, gap }: LogItem): void {
    const pipe = channels.find((name) => channel.endsWith(`::std${name}`));
    const found = /^([1-9]\d*) (\d+) (out|err)( end)?$/.exec(line);
    const [, seq, pid, name, end] = found ?? [];
    this.#pid ??= pid;
    if (gap !== undefined || partial || pipe === undefined || name !== pipe || pid !== this.#pid) {
      this.#foreign += 1;
    } else if (end === undefined) {
      this.#takeLine(pipe, Number(seq));
    } else {
      this.#takeEnd(pipe, Number(seq));
    }
  }

  #takeLine(pipe: Channel, seq: number): void {
    this.#lines += 1;
    const expected = this.#next.get(pipe) ?? 1;
    if (seq < expected) {
      this.#doubled += 1;
      return;
    }
    this.#lost += seq - expected;
    this.#next.set(pipe, seq + 1);
  }

  #takeEnd(pipe: Channel, lines: number): void {
    this.#ended += 1;
    this.#lost += lines + 1 - (this.#next.get(pipe) ?? 1);
  }
}
