import { crc32 } from "node:zlib";
import {
  type EndReason,
  type ExecutableName,
  parseExecutableName,
  type RunEnd,
  type Usage,
} from "@aurae/domain/cells";
import { ByteReader, MalformedBytes } from "./bytes.ts";

/** What a supervisor knows of a run; in events, in its state, and in a file for each run. */
export interface RunRecord {
  readonly run: number;
  readonly executable: ExecutableName;
  readonly pid: number;
  readonly startedAtNs: bigint;
  /** Absent while it runs. */
  readonly end?: RunEnd;
}

const fileMagic = 0x5252_5541;
const fileVersion = 1;

/** The reasons by their numbers; 0 is none: it runs. */
export const reasons: readonly (EndReason | undefined)[] = [
  undefined,
  ...(["exited", "signaled", "oom", "timeout", "aborted", "ttl", "lost"] as const),
];

/** What was used, by its number. */
export const usageKeys: ReadonlyMap<number, keyof Usage> = new Map([
  [1, "cpuUserNs"],
  [2, "cpuSystemNs"],
  [3, "cpuTotalNs"],
  [4, "memoryPeakBytes"],
  [5, "oomKills"],
  [6, "pidsPeak"],
  [7, "cpuThrottledNs"],
]);

/** @throws MalformedBytes */
export function readRecord(bytes: Buffer): RunRecord {
  const reader = new ByteReader(bytes);
  const run = Number(reader.u64());
  const executable = readName(reader.text());
  const pid = reader.i32();
  reader.u64(); // The start in ticks; with boot and pid it names the process, and S keeps that itself.
  const startedAtNs = reader.i64();
  const end = readEnd(reader);
  reader.finish();
  if (!Number.isSafeInteger(run)) throw new MalformedBytes(`a run has the number ${run}`);
  return { run, executable, pid, startedAtNs, ...(end === undefined ? {} : { end }) };
}

/** A record out of its file. @throws MalformedBytes when a bit of it is not as it was written (fault 62) */
export function readRecordFile(bytes: Buffer): RunRecord {
  const header = new ByteReader(bytes);
  const magic = header.u32();
  const version = header.u16();
  const zero = header.u16();
  const size = header.u32();
  const checksum = header.u32();
  const payload = bytes.subarray(16);
  if (magic !== fileMagic || zero !== 0) throw new MalformedBytes("it is no record of a run");
  if (version !== fileVersion) throw new MalformedBytes(`it is a record of version ${version}`);
  if (size !== payload.length) throw new MalformedBytes("it is cut, or has bytes left over");
  if (checksum !== crc32(payload)) throw new MalformedBytes("its checksum is wrong");
  return readRecord(payload);
}

function readName(text: string): ExecutableName {
  const name = parseExecutableName(text);
  if (typeof name !== "string") throw new MalformedBytes(`the name of an executable ${name.wrong}`);
  return name;
}

function readEnd(reader: ByteReader): RunEnd | undefined {
  const endedAtNs = reader.i64();
  const how = reader.u8();
  const status = reader.i32();
  const coreDumped = reader.u8() !== 0;
  const reason = reasons[reader.u8()];
  const linesDropped = reader.u64();
  const usage = readUsage(reader);
  if (how > 2) throw new MalformedBytes(`a run ended in way ${how}`);
  if (how === 0) return undefined;
  if (reason === undefined) throw new MalformedBytes("a run ended for no known reason");
  const outcome = how === 1 ? { exitCode: status } : { signal: status };
  return { reason, ...outcome, coreDumped, endedAtNs, usage, linesDropped };
}

/** A key that we do not know is a newer supervisor's: left out, like what the host cannot tell. */
function readUsage(reader: ByteReader): Usage {
  const items = reader.list((item) => [usageKeys.get(item.u16()), item.u64()] as const);
  return Object.fromEntries(items.filter(([key]) => key !== undefined)) as Usage;
}
