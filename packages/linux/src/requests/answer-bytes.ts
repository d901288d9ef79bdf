import { crc32 } from "node:zlib";
import type { Answer, RememberedAnswer, RunEnd, Usage } from "@aurae/domain/cells";
import { ByteReader, ByteWriter, MalformedBytes } from "../shim/bytes.ts";
import { reasons, usageKeys } from "../shim/record.ts";

/** What an answer takes in the file, the longest and the shortest. */
export const slotBytes = 256;

/** An answer as it is kept. */
export interface KeptAnswer extends RememberedAnswer {
  /** Which came after which; the first is 0. */
  readonly sequence: number;
}

const version = 1;
const kinds = ["allocated", "started", "stopped", "freed"] as const;
const hashBytes = 16;
/** Which of the two that may be absent, and what it ended with. */
const flags = { exitCode: 1, signal: 2, coreDumped: 4 };

/**
 * `u32 crc32` of the rest up to the size, `u16 size`, `u16 version`, `u32` CRC-32 of the boot id, `u64
 * sequence`, key, digest, `u8 kind`, what that needs; then zeros. Each slot stands for itself.
 */
export function encodeAnswer(kept: KeptAnswer, bootId: string): Buffer {
  const writer = new ByteWriter().u16(version).u32(crc32(bootId)).u64(BigInt(kept.sequence));
  writer.bytes(Buffer.from(kept.mark.key, "hex")).bytes(Buffer.from(kept.mark.digest, "hex"));
  const payload = writeAnswer(writer, kept.answer).finish();
  const size = new ByteWriter().u16(payload.length).finish();
  const slot = Buffer.alloc(slotBytes);
  slot.writeUInt32LE(crc32(payload, crc32(size)));
  size.copy(slot, 4);
  payload.copy(slot, 6);
  return slot;
}

/**
 * The answer in a slot; undefined when there is none of this boot.
 *
 * @throws MalformedBytes when it is damaged, or of a newer daemon
 */
export function readAnswer(slot: Buffer, bootId: string): KeptAnswer | undefined {
  if (slot.every((byte) => byte === 0)) return undefined;
  const size = slot.readUInt16LE(4);
  const payload = slot.subarray(6, 6 + size);
  if (crc32(payload, crc32(slot.subarray(4, 6))) !== slot.readUInt32LE()) {
    throw new MalformedBytes("its checksum is wrong");
  }
  const reader = new ByteReader(payload);
  const found = reader.u16();
  if (found !== version) throw new MalformedBytes(`it is of version ${found}`);
  if (reader.u32() !== crc32(bootId)) return undefined;
  const sequence = Number(reader.u64());
  const mark = { key: readHash(reader), digest: readHash(reader) };
  const kept = { sequence, mark, answer: readOutcome(reader) };
  reader.finish();
  return kept;
}

function readHash(reader: ByteReader): string {
  const hash = reader.bytes();
  if (hash.length !== hashBytes) throw new MalformedBytes("it names no request");
  return hash.toString("hex");
}

function writeAnswer(writer: ByteWriter, answer: Answer): ByteWriter {
  writer.u8(kinds.indexOf(answer.kind));
  switch (answer.kind) {
    case "started":
      return writer.u64(BigInt(answer.run)).i32(answer.pid).u64(answer.startedAtNs);
    case "stopped":
      return writeEnd(writer, answer.end);
    case "allocated":
    case "freed":
      return writer;
    default:
      return answer satisfies never;
  }
}

function readOutcome(reader: ByteReader): Answer {
  const kind = kinds[reader.u8()];
  switch (kind) {
    case "started":
      return { kind, run: Number(reader.u64()), pid: reader.i32(), startedAtNs: reader.u64() };
    case "stopped":
      return { kind, end: readEnd(reader) };
    case "allocated":
    case "freed":
      return { kind };
    case undefined:
      throw new MalformedBytes("it is no answer that we give");
    default:
      return kind satisfies never;
  }
}

function writeEnd(writer: ByteWriter, end: RunEnd): ByteWriter {
  const { exitCode, signal, coreDumped, usage } = end;
  const set =
    (exitCode === undefined ? 0 : flags.exitCode) |
    (signal === undefined ? 0 : flags.signal) |
    (coreDumped ? flags.coreDumped : 0);
  writer.u8(reasons.indexOf(end.reason)).u8(set);
  writer.i32(exitCode ?? 0).i32(signal ?? 0);
  writer.u64(end.endedAtNs).u64(end.linesDropped);
  const used = [...usageKeys].flatMap(([number, key]) => {
    const value = usage[key];
    return value === undefined ? [] : [[number, value] as const];
  });
  return writer.list(used, (item, [number, value]) => item.u8(number).u64(value));
}

function readEnd(reader: ByteReader): RunEnd {
  const reason = reasons[reader.u8()];
  if (reason === undefined) throw new MalformedBytes("a run ended for no known reason");
  const set = reader.u8();
  const [exitCode, signal] = [reader.i32(), reader.i32()];
  return {
    reason,
    ...(set & flags.exitCode ? { exitCode } : {}),
    ...(set & flags.signal ? { signal } : {}),
    coreDumped: (set & flags.coreDumped) !== 0,
    endedAtNs: reader.u64(),
    linesDropped: reader.u64(),
    usage: readUsage(reader),
  };
}

function readUsage(reader: ByteReader): Usage {
  const items = reader.list((item) => [usageKeys.get(item.u8()), item.u64()] as const);
  return Object.fromEntries(items.filter(([key]) => key !== undefined)) as Usage;
}
