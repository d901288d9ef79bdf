import { ByteReader, ByteWriter, MalformedBytes } from "./bytes.ts";
import { encodeFrame, frameTypes } from "./frames.ts";
import { type RunRecord, readRecord } from "./record.ts";

const helloMagic = 0x5352_5541;
export const protocolVersion = 1;

export interface Hello {
  readonly version: number;
  readonly cellId: string;
  readonly bootId: string;
  readonly build: string;
}

export interface Enclose {
  /** CLONE_NEW* of those to unshare. */
  readonly namespaces: number;
  readonly hostName: string;
  readonly cellDir: string;
  readonly logDir: string;
  readonly parentInit: ProcessIdentity | undefined;
  readonly segmentBytes: number;
  readonly segmentsKept: number;
  readonly readOnlyPaths: readonly string[];
  readonly hierarchies: readonly { readonly roles: number; readonly directory: string }[];
}

/** A process for ever: its pid is given away again, its start in ticks is not. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly start: bigint;
}

export interface Start {
  readonly run: number;
  readonly executable: string;
  readonly argv: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  readonly uid: number;
  readonly gid: number;
}

export interface Failed {
  readonly errno: number;
  readonly step: string;
}

/** A run with its flags: what has happened to it so far. */
export interface RunNews {
  readonly record: RunRecord;
  readonly treeIsEmpty: boolean;
  readonly logIsComplete: boolean;
}

export interface SupervisorState {
  readonly supervisor: ProcessIdentity;
  /** Undefined when the init has died. */
  readonly init: ProcessIdentity | undefined;
  /** Every run of which something is left to come. */
  readonly runs: readonly RunNews[];
  /** Connections that it has ended for what came on them, since it was made. */
  readonly refused: number;
}

export function encodeHello({ version, cellId, bootId, build }: Hello): Buffer {
  const payload = new ByteWriter().u32(helloMagic).u16(version);
  payload.bytes(cellId).bytes(bootId).bytes(build);
  return encodeFrame({ type: frameTypes.hello, request: 0, payload: payload.finish() });
}

export function readHello(payload: Buffer): Hello {
  const reader = new ByteReader(payload);
  if (reader.u32() !== helloMagic) throw new MalformedBytes("it is no hello");
  const version = reader.u16();
  // What another version says after its number is not for us to read.
  if (version !== protocolVersion) return { version, cellId: "", bootId: "", build: "" };
  const hello = { version, cellId: reader.text(), bootId: reader.text(), build: reader.text() };
  reader.finish();
  return hello;
}

export function enclosePayload(enclose: Enclose): Buffer {
  return new ByteWriter()
    .u32(enclose.namespaces)
    .bytes(enclose.hostName)
    .bytes(enclose.cellDir)
    .bytes(enclose.logDir)
    .i32(enclose.parentInit?.pid ?? 0)
    .u64(enclose.parentInit?.start ?? 0n)
    .u64(BigInt(enclose.segmentBytes))
    .u32(enclose.segmentsKept)
    .list(enclose.readOnlyPaths, (writer, path) => writer.bytes(path))
    .list(enclose.hierarchies, (writer, item) => writer.u32(item.roles).bytes(item.directory))
    .finish();
}

/** The init of a cell that was made. */
export function readEnclosed(payload: Buffer): ProcessIdentity {
  const reader = new ByteReader(payload);
  reader.i32();
  reader.u64();
  const init = { pid: reader.i32(), start: reader.u64() };
  reader.finish();
  return init;
}

export function readFailed(payload: Buffer): Failed {
  const reader = new ByteReader(payload);
  const failed = { errno: reader.i32(), step: reader.text() };
  reader.finish();
  return failed;
}

export function startPayload(start: Start): Buffer {
  return new ByteWriter()
    .u64(BigInt(start.run))
    .bytes(start.executable)
    .list(start.argv, (writer, argument) => writer.bytes(argument))
    .list(start.environment, (writer, variable) => writer.bytes(variable))
    .bytes(start.workingDirectory)
    .u32(start.uid)
    .u32(start.gid)
    .finish();
}

export function readStarted(payload: Buffer): {
  readonly run: number;
  readonly pid: number;
  readonly startedAtNs: bigint;
} {
  const reader = new ByteReader(payload);
  const run = Number(reader.u64());
  const pid = reader.i32();
  reader.u64();
  const started = { run, pid, startedAtNs: reader.i64() };
  reader.finish();
  return started;
}

export function stopPayload(run: number, signal: number, graceMs: number): Buffer {
  return new ByteWriter().u64(BigInt(run)).u32(signal).u32(graceMs).finish();
}

/** The run that was stopped. */
export function readStopped(payload: Buffer): number {
  const reader = new ByteReader(payload);
  const run = Number(reader.u64());
  reader.finish();
  return run;
}

export function endPayload(graceMs: number): Buffer {
  return new ByteWriter().u32(graceMs).finish();
}

/** Nothing is in the payload of these. */
export function readEmpty(payload: Buffer): void {
  new ByteReader(payload).finish();
}

export function readState(payload: Buffer): SupervisorState {
  const reader = new ByteReader(payload);
  const supervisor = { pid: reader.i32(), start: reader.u64() };
  const init = { pid: reader.i32(), start: reader.u64() };
  const runs = reader.list(readRun);
  // A supervisor made before it counted says nothing here.
  const refused = reader.isAtEnd ? 0 : reader.u32();
  reader.finish();
  return { supervisor, init: init.pid === 0 ? undefined : init, runs, refused };
}

export function readRunEvent(payload: Buffer): RunNews {
  const reader = new ByteReader(payload);
  const news = readRun(reader);
  reader.finish();
  return news;
}

/** How the init of a cell died. */
export function readInitDied(payload: Buffer): { readonly how: number; readonly status: number } {
  const reader = new ByteReader(payload);
  const died = { how: reader.u8(), status: reader.i32() };
  reader.finish();
  return died;
}

/** Flags: 1 exited, which the record tells too; 2 its tree is empty; 4 its log is complete. */
function readRun(reader: ByteReader): RunNews {
  const flags = reader.u8();
  const record = readRecord(reader.bytes());
  return { record, treeIsEmpty: (flags & 2) !== 0, logIsComplete: (flags & 4) !== 0 };
}
