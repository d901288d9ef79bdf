import type { LogItem } from "@aurae/client";
import { say, writeError, writeJsonLine, writeOut } from "./output.ts";

const newline = Buffer.from("\n");

/** Write a line where its process wrote it, byte for byte; what is missing is said on stderr. */
export async function writeLogItem(item: LogItem): Promise<void> {
  if (item.gap !== undefined) return say(`aer: ${describeGap(item.gap)}`);
  const bytes = item.partial ? item.bytes : Buffer.concat([item.bytes, newline]);
  await (item.stream === "stderr" ? writeError(bytes) : writeOut(bytes));
}

/**
 * Write a line as a line of JSON. `base64` holds the exact bytes, and is only there when they are no
 * UTF-8.
 */
export function writeLogItemJson(item: LogItem): Promise<void> {
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
