import type { LogItem } from "@aurae/client";
import { say, writeError, writeJsonLine, writeOut } from "./output.ts";

const newline = Buffer.from("\n");

/** So many bytes are written at once, at most, and a line more. */
const batchBytes = 64 * 1024;

/** Write every line of a log, as text or as JSON. Fails when nobody reads what we write. */
export async function writeLogItems(items: AsyncIterable<LogItem>, isJson: boolean): Promise<void> {
  if (isJson) {
    for await (const item of items) await writeLogItemJson(item);
    return;
  }
  const writer = new LineWriter();
  try {
    for await (const item of items) await writer.write(item);
  } finally {
    await writer.flush();
  }
}

/**
 * Writes lines where their process wrote them, byte for byte and in the order in which they came,
 * many with one call. Nothing waits for more than the lines that are there already.
 */
class LineWriter {
  #stream: LogItem["stream"] = "stdout";
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #flushing: Promise<void> = Promise.resolve();
  #immediate: NodeJS.Immediate | undefined;
  #failure: Error | undefined;

  /** Take a line; waits while the reader is slow. What is missing is said on stderr. */
  async write(item: LogItem): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (item.gap !== undefined) {
      await this.flush();
      return say(`aer: ${describeGap(item.gap)}`);
    }
    if (item.stream !== this.#stream) await this.flush();
    this.#stream = item.stream;
    this.#chunks.push(item.bytes);
    if (!item.partial) this.#chunks.push(newline);
    this.#bytes += item.bytes.length + 1;
    if (this.#bytes >= batchBytes) await this.flush();
    else this.#immediate ??= setImmediate(() => this.#flushSoon());
  }

  /** Nobody waits for this flush: the next write() throws what went wrong. */
  #flushSoon(): void {
    this.flush().catch((cause: Error) => {
      this.#failure = cause;
    });
  }

  /** Write what is there. */
  flush(): Promise<void> {
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
    if (this.#bytes > 0) {
      const batch = Buffer.concat(this.#chunks);
      const write = this.#stream === "stderr" ? writeError : writeOut;
      this.#chunks = [];
      this.#bytes = 0;
      this.#flushing = this.#flushing.then(() => write(batch));
    }
    return this.#flushing;
  }
}

/**
 * Write a line as a line of JSON. `base64` holds the exact bytes, and is only there when they are no
 * UTF-8.
 */
function writeLogItemJson(item: LogItem): Promise<void> {
  const { stream, text, bytes, timeNs, partial, gap } = item;
  if (gap !== undefined) return writeJsonLine({ type: "gap", ...gap });
  const isExact = Buffer.from(text).equals(bytes);
  return writeJsonLine({
    type: "line",
    time: formatTime(timeNs),
    stream,
    text,
    ...(partial && { partial }),
    ...(!isExact && { base64: Buffer.from(bytes).toString("base64") }),
  });
}

function describeGap({ linesDropped, segmentsRemoved }: NonNullable<LogItem["gap"]>): string {
  const lost = [];
  if (linesDropped > 0n) lost.push(`${linesDropped} lines that could not be written`);
  if (segmentsRemoved > 0n) lost.push("older lines that are no longer kept");
  return `missing here: ${lost.join(", and ")}`;
}

/** RFC 3339 with all nine digits. */
function formatTime(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, "0")}Z`;
}
