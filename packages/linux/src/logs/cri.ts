import type { Channel } from "@aurae/domain/observe";

/** What one line of a log file says. */
export type CriItem =
  | {
      readonly kind: "line";
      readonly channel: Channel;
      readonly atNs: bigint;
      readonly bytes: Uint8Array;
      readonly partial: boolean;
    }
  /** The supervisor could not write so many lines. */
  | { readonly kind: "dropped"; readonly atNs: bigint; readonly lines: bigint }
  /** It is no line of ours: a disk that failed, a supervisor that was killed while it wrote. */
  | { readonly kind: "garbage" };

const newline = 0x0a;
const blank = 0x20;
/** The tags: a whole line or the end of one, `F`, and a part of one, `P`. */
const full = 0x46;
const part = 0x50;
/** Time (30 bytes), channel and tag with blanks: what stands before the text at most. */
export const maxHeaderBytes = 80;

/** Where things are in a line; the time has always nine digits, and both channels six letters. */
const channelAt = 31;
const tagAt = 38;
const textAt = 40;
const dropped = /^F:dropped=(\d{1,18}) /;

/** Read one line, without its newline. Whatever it is, this does not throw. */
export function readCriLine(line: Buffer): CriItem {
  const atNs = readTime(line);
  const channel = readChannel(line);
  const isTagged = line[channelAt - 1] === blank && line[tagAt - 1] === blank;
  if (atNs === undefined || channel === undefined || !isTagged) return { kind: "garbage" };
  const tag = line[tagAt];
  if (line[textAt - 1] === blank && (tag === full || tag === part)) {
    return { kind: "line", channel, atNs, bytes: line.subarray(textAt), partial: tag === part };
  }
  const [, lines] = dropped.exec(line.toString("latin1", tagAt, maxHeaderBytes)) ?? [];
  return lines === undefined
    ? { kind: "garbage" }
    : { kind: "dropped", atNs, lines: BigInt(lines) };
}

function readTime(line: Buffer): bigint | undefined {
  return line.length < textAt ? undefined : parseTime(line.toString("latin1", 0, channelAt - 1));
}

function readChannel(line: Buffer): Channel | undefined {
  const name = line.toString("latin1", channelAt, tagAt - 1);
  return name === "stdout" || name === "stderr" ? name : undefined;
}

const time = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z$/;

/** Nanoseconds since the UNIX epoch; undefined when it is no time. */
function parseTime(text: string): bigint | undefined {
  if (!time.test(text)) return undefined;
  const ms = Date.parse(`${text.slice(0, 19)}Z`);
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * 1_000_000n + BigInt(text.slice(20, 29));
}

/** The lines of a chunk that ends with a newline. Their bytes are those of the chunk, not copies. */
export function* readCriLines(chunk: Buffer): Generator<CriItem, void, undefined> {
  for (let start = 0; start < chunk.length; ) {
    const end = chunk.indexOf(newline, start);
    if (end < 0) return;
    yield readCriLine(chunk.subarray(start, end));
    start = end + 1;
  }
}
