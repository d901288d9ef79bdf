import { isUtf8 } from "node:buffer";
import type { LogItemSchema } from "@aurae/api/observe";
import type { Channel, LogEntry, LogRecord } from "@aurae/domain/observe";
import type { MessageInitShape } from "@bufbuild/protobuf";

type LogItem = MessageInitShape<typeof LogItemSchema>;

/** The channel of what the daemon logs itself. */
const daemonChannel = "auraed";

/** A line of a run, or what its log has lost. A gap is of both pipes, and bears the first one asked for. */
export function toLogItem(
  entry: LogEntry,
  executable: string,
  channels: ReadonlySet<Channel>,
): LogItem {
  const time = toTime(entry.atNs);
  if (entry.kind === "gap") {
    const { linesDropped, segmentsRemoved } = entry;
    const [channel] = channels;
    return {
      channel: `${executable}::${channel}`,
      ...time,
      gap: { linesDropped, segmentsRemoved },
    };
  }
  const { bytes, partial } = entry;
  const channel = `${executable}::${entry.channel}`;
  const item = { channel, line: toText(bytes), ...time, partial };
  return isUtf8(bytes) ? item : { ...item, raw: bytes };
}

/** A record of the daemon, after the gap before it if there is one. */
export function toRecordItems({
  atNs,
  text,
  missed,
}: LogRecord & { readonly missed: number }): readonly LogItem[] {
  const time = toTime(atNs);
  const item = { channel: daemonChannel, line: text, ...time };
  if (missed === 0) return [item];
  return [{ channel: daemonChannel, ...time, gap: { linesDropped: BigInt(missed) } }, item];
}

/** U+FFFD where the bytes are no UTF-8; a byte order mark stays. */
function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function toTime(atNs: bigint): { readonly timestamp: bigint; readonly timestampNs: bigint } {
  return { timestamp: atNs / 1_000_000_000n, timestampNs: atNs };
}
