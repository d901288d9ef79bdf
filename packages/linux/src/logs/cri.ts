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
/** Time (30 bytes), channel and tag with blanks: what stands before the text at most. */
export const maxHeaderBytes = 80;

/** Read one line, without its newline. Whatever it is, this does not throw. */
export function readCriLine(line: Buffer): CriItem {
  const header = line.subarray(0, maxHeaderBytes).toString("latin1");
  const match = /^(\S{30}) (stdout|stderr) (P|F|F:dropped=(\d{1,18})) /.exec(header);
  const atNs = match?.[1] === undefined ? undefined : parseTime(match[1]);
  if (match === null || atNs === undefined) return { kind: "garbage" };
  if (match[4] !== undefined) return { kind: "dropped", atNs, lines: BigInt(match[4]) };
  return {
    kind: "line",
    channel: match[2] === "stdout" ? "stdout" : "stderr",
    atNs,
    bytes: line.subarray(match[0].length),
    partial: match[3] === "P",
  };
}

const time = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z$/;

/** Nanoseconds since the UNIX epoch; undefined when it is no time. */
export function parseTime(text: string): bigint | undefined {
  const [, seconds, nanoseconds] = time.exec(text) ?? [];
  if (seconds === undefined || nanoseconds === undefined) return undefined;
  const ms = Date.parse(`${seconds}Z`);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + BigInt(nanoseconds);
}

/** The same, the other way round. */
export function formatTime(atNs: bigint): string {
  const seconds = new Date(Number(atNs / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(atNs % 1_000_000_000n).padStart(9, "0")}Z`;
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
