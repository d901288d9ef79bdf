/**
 * What the tests of the cell shim stand on: a launcher on a temporary directory, cgroups of its own on
 * the real kernel, and a client that speaks the frames of docs/design/shim.md.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const build = process.env["AURAE_SHIM_BUILD"] ?? join(import.meta.dirname, "../build");
export const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

export const type = {
  hello: 1,
  enclose: 2,
  enclosed: 3,
  failed: 4,
  start: 5,
  started: 6,
  stop: 7,
  stopped: 8,
  signal: 9,
  done: 10,
  state: 11,
  stateIs: 12,
  end: 13,
  ended: 14,
  run: 15,
  initDied: 16,
} as const; // prettier-ignore

export const allNamespaces = 0x20000 | 0x4000000 | 0x8000000 | 0x20000000 | 0x40000000 | 0x2000000;
export const newPid = 0x20000000;
export const flag = { exited: 1, empty: 2, closed: 4 } as const;

/** Bytes in the order of a frame. */
export class Writer {
  #parts: Buffer[] = [];

  #add(size: number, write: (bytes: Buffer) => void): this {
    const bytes = Buffer.alloc(size);
    write(bytes);
    this.#parts.push(bytes);
    return this;
  }
  u8(value: number): this {
    return this.#add(1, (bytes) => bytes.writeUInt8(value));
  }
  u16(value: number): this {
    return this.#add(2, (bytes) => bytes.writeUInt16LE(value));
  }
  u32(value: number): this {
    return this.#add(4, (bytes) => bytes.writeUInt32LE(value));
  }
  u64(value: bigint): this {
    return this.#add(8, (bytes) => bytes.writeBigUInt64LE(value));
  }
  text(value: string): this {
    const bytes = Buffer.from(value);
    this.u32(bytes.length);
    this.#parts.push(bytes);
    return this;
  }
  list<T>(items: readonly T[], each: (item: T) => void): this {
    this.u32(items.length);
    items.forEach(each);
    return this;
  }
  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** The same, read. */
export class Reader {
  #at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  #take(size: number): Buffer {
    this.#at += size;
    if (this.#at > this.#bytes.length) throw new RangeError("frame is cut");
    return this.#bytes.subarray(this.#at - size, this.#at);
  }
  u8(): number {
    return this.#take(1).readUInt8();
  }
  u16(): number {
    return this.#take(2).readUInt16LE();
  }
  u32(): number {
    return this.#take(4).readUInt32LE();
  }
  i32(): number {
    return this.#take(4).readInt32LE();
  }
  u64(): bigint {
    return this.#take(8).readBigUInt64LE();
  }
  bytes(): Buffer {
    return this.#take(this.u32());
  }
  text(): string {
    return this.bytes().toString();
  }
  get left(): number {
    return this.#bytes.length - this.#at;
  }
}

export interface Frame {
  readonly type: number;
  readonly request: number;
  readonly payload: Buffer;
}

export interface Run {
  readonly flags: number;
  readonly run: bigint;
  readonly executable: string;
  readonly pid: number;
  readonly start: bigint;
  readonly startedAt: bigint;
  readonly endedAt: bigint;
  readonly how: number;
  readonly status: number;
  readonly core: number;
  readonly reason: number;
  readonly dropped: bigint;
  readonly usage: ReadonlyMap<number, bigint>;
}

/** Read a record as a frame or a file has it. */
export function readRecord(flags: number, bytes: Buffer): Run {
  const reader = new Reader(bytes);
  const head = {
    flags,
    run: reader.u64(),
    executable: reader.text(),
    pid: reader.i32(),
    start: reader.u64(),
    startedAt: reader.u64(),
    endedAt: reader.u64(),
    how: reader.u8(),
    status: reader.i32(),
    core: reader.u8(),
    reason: reader.u8(),
    dropped: reader.u64(),
  }; // prettier-ignore
  const usage = new Map<number, bigint>();
  for (let left = reader.u32(); left > 0; left--) usage.set(reader.u16(), reader.u64());
  if (reader.left > 0) throw new RangeError("record has bytes left over");
  return { ...head, usage };
}

export function readRun(frame: Frame): Run {
  const reader = new Reader(frame.payload);
  return readRecord(reader.u8(), reader.bytes());
}

export function readFailure(frame: Frame): { errno: number; step: string } {
  const reader = new Reader(frame.payload);
  return { errno: reader.i32(), step: reader.text() };
}

/** A connection to a supervisor, on which every frame that came is kept until somebody asks. */
export class Connection implements AsyncDisposable {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  #held = Buffer.alloc(0);
  #waiting: (() => void)[] = [];
  #request = 0;
  closed = false;

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.on("data", (bytes) => this.#receive(bytes));
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.closed = true;
      this.#wake();
    });
  }

  #receive(bytes: Buffer): void {
    this.#held = Buffer.concat([this.#held, bytes]);
    while (this.#held.length >= 10 && this.#held.length >= 10 + this.#held.readUInt32LE()) {
      const size = 10 + this.#held.readUInt32LE();
      const [type, request] = [this.#held.readUInt16LE(4), this.#held.readUInt32LE(6)];
      this.frames.push({ type, request, payload: this.#held.subarray(10, size) });
      this.#held = this.#held.subarray(size);
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Wait for the first frame that matches, and take it. */
  async take(what: string, match: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const index = this.frames.findIndex(match);
      if (index >= 0) return this.frames.splice(index, 1)[0] as Frame;
      if (this.closed) throw new Error(`connection closed while waiting for ${what}`);
      await new Promise<void>((wake) => this.#waiting.push(wake));
    }
  }

  async end(): Promise<void> {
    while (!this.closed) await new Promise<void>((wake) => this.#waiting.push(wake));
  }

  send(type: number, payload: Buffer): number {
    this.#request += 1;
    this.sendRaw(type, this.#request, payload);
    return this.#request;
  }

  sendRaw(type: number, request: number, payload: Buffer): void {
    const header = Buffer.alloc(10);
    header.writeUInt32LE(payload.length);
    header.writeUInt16LE(type, 4);
    header.writeUInt32LE(request, 6);
    this.socket.write(Buffer.concat([header, payload]));
  }

  hello(id: string): void {
    const hello = new Writer().u32(0x53525541).u16(1).text(id).text(boot).text("test");
    this.sendRaw(type.hello, 0, hello.bytes());
  }

  /** Ask, and return the answer, whichever it is. */
  async ask(type: number, payload: Buffer): Promise<Frame> {
    const request = this.send(type, payload);
    return this.take(`an answer to ${type}`, (frame) => frame.request === request);
  }

  /** Wait for the RUN of a run that has all of `flags`. */
  async run(run: bigint, flags: number): Promise<Run> {
    const match = (frame: Frame) => {
      if (frame.type !== type.run) return false;
      const event = readRun(frame);
      return event.run === run && (event.flags & flags) === flags;
    };
    return readRun(await this.take(`run ${run} to be ${flags}`, match));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.end();
  }
}

export interface Hierarchy {
  readonly roles: number;
  readonly path: string;
}

/** The cgroup mounts of this machine, with the roles that the shim gives them. */
export function hierarchies(only: "all" | "v1" = "all"): Hierarchy[] {
  const bits: Record<string, number> = { cpu: 2, cpuacct: 4, memory: 8, pids: 16, freezer: 32 };
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  const found: Hierarchy[] = [];
  for (const [, path = "", kind, options = ""] of mounts) {
    const roles = options.split(",").reduce((sum, option) => sum | (bits[option] ?? 0), 0);
    if (kind === "cgroup" && roles > 0) found.push({ roles, path });
    if (kind === "cgroup2" && only === "all") found.push({ roles: 1, path });
  }
  return found;
}

/** Remove a tree of cgroups, depth first. */
function removeTree(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(path, entry.name));
  rmdirSync(path);
}

/** A launcher with a directory and cgroups of its own. */
export class Node implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "aurae-shimtest-"));
  readonly hierarchies: readonly Hierarchy[];
  readonly socket = join(this.directory, "launcher.sock");
  readonly launcher: ChildProcess;
  readonly name = this.directory.split("/").at(-1) as string;
  #cells = 0;

  constructor(only: "all" | "v1" = "all") {
    this.hierarchies = hierarchies(only);
    const shims = this.hierarchies.map((each) => join(each.path, this.name, "_shim"));
    for (const shim of shims) mkdirSync(shim, { recursive: true });
    this.launcher = spawn(
      join(build, "aurae-launcher"),
      [this.socket, join(build, "aurae-supervisor"), ...shims],
      { stdio: ["ignore", "pipe", "inherit"], detached: true },
    );
  }

  static async start(only: "all" | "v1" = "all"): Promise<Node> {
    const node = new Node(only);
    const [line] = await once(node.launcher.stdout as NodeJS.EventEmitter, "data");
    if (String(line) !== "ready\n") throw new Error(`launcher: ${line}`);
    return node;
  }

  /** Make the directories of a cell; `parent` is another cell's. */
  cell(parent?: Cell): Cell {
    this.#cells += 1;
    const name = `c-${this.#cells}`;
    const groups = this.hierarchies.map(({ roles, path }, index) => ({
      roles,
      path: parent
        ? join((parent.groups[index] as Hierarchy).path, name)
        : join(path, this.name, name),
    }));
    for (const group of groups) mkdirSync(join(group.path, "_init"), { recursive: true });
    return new Cell(this, groups, this.#cells.toString(16).padStart(16, "0"), parent);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.launcher, "exit");
    this.launcher.kill("SIGKILL");
    await exit;
    for (const { path } of this.hierarchies) {
      // A supervisor leaves its cgroup a moment after it has closed its connection.
      const members = join(path, this.name, "_shim", "cgroup.procs");
      while (readFileSync(members, "utf8") !== "") await new Promise((turn) => setImmediate(turn));
      removeTree(join(path, this.name));
    }
    rmSync(this.directory, { recursive: true });
  }
}

export interface Start {
  readonly argv: readonly string[];
  readonly environment?: readonly string[];
  readonly directory?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** A cell and its connection. */
export class Cell implements AsyncDisposable {
  readonly node: Node;
  readonly groups: Hierarchy[];
  readonly id: string;
  readonly parent: Cell | undefined;
  readonly directory: string;
  readonly logs: string;
  connection: Connection;
  supervisor = 0;
  init = 0;
  initStart = 0n;
  #runs = 0n;

  constructor(node: Node, groups: Hierarchy[], id: string, parent?: Cell) {
    this.node = node;
    this.groups = groups;
    this.id = id;
    this.parent = parent;
    this.directory = join(node.directory, id);
    this.logs = join(node.directory, `${id}.logs`);
    mkdirSync(this.directory);
    mkdirSync(this.logs);
    this.connection = new Connection(node.socket);
  }

  /** Ask for the cell, and return the answer. */
  async enclose(namespaces = allNamespaces, segmentBytes = 1n << 26n, kept = 4): Promise<Frame> {
    this.connection.hello(this.id);
    const payload = new Writer().u32(namespaces).text("web").text(this.directory).text(this.logs);
    payload
      .u32(this.parent?.init ?? 0)
      .u64(this.parent?.initStart ?? 0n)
      .u64(segmentBytes)
      .u32(kept);
    payload.list(["/sys/fs/cgroup"], (path) => payload.text(path));
    payload.list(this.groups, (group) => payload.u32(group.roles).text(group.path));
    const answer = await this.connection.ask(type.enclose, payload.bytes());
    if (answer.type === type.enclosed) {
      const reader = new Reader(answer.payload);
      this.supervisor = reader.i32();
      reader.u64();
      this.init = reader.i32();
      this.initStart = reader.u64();
    }
    return answer;
  }

  static async open(node: Node, namespaces = allNamespaces, parent?: Cell): Promise<Cell> {
    const cell = node.cell(parent);
    const answer = await cell.enclose(namespaces);
    if (answer.type !== type.enclosed) throw new Error(JSON.stringify(readFailure(answer)));
    return cell;
  }

  /** Make the directories of an executable, anew if they are there. */
  prepare(name: string): void {
    for (const { path } of this.groups) {
      const directory = join(path, `x-${name}`);
      if (existsSync(directory)) rmdirSync(directory);
      mkdirSync(directory);
    }
  }

  /** Make the directories of an executable and start it; returns its run and the answer. */
  async start(name: string, start: Start): Promise<{ run: bigint; answer: Frame }> {
    this.prepare(name);
    return this.startPrepared(name, start);
  }

  async startPrepared(name: string, start: Start): Promise<{ run: bigint; answer: Frame }> {
    this.#runs += 1n;
    const payload = new Writer().u64(this.#runs).text(name);
    payload.list(start.argv, (text) => payload.text(text));
    payload.list(start.environment ?? ["PATH=/usr/bin:/bin"], (text) => payload.text(text));
    payload
      .text(start.directory ?? "/")
      .u32(start.uid ?? 0)
      .u32(start.gid ?? 0);
    return { run: this.#runs, answer: await this.connection.ask(type.start, payload.bytes()) };
  }

  /** Start a shell command that must start; returns its run and pid. */
  async sh(name: string, command: string): Promise<{ run: bigint; pid: number }> {
    const { run, answer } = await this.start(name, { argv: ["/bin/sh", "-c", command] });
    if (answer.type !== type.started) throw new Error(JSON.stringify(readFailure(answer)));
    const reader = new Reader(answer.payload);
    reader.u64();
    return { run, pid: reader.i32() };
  }

  stop(run: bigint, graceMs: number, signal = 15): Promise<Frame> {
    return this.connection.ask(type.stop, new Writer().u64(run).u32(signal).u32(graceMs).bytes());
  }

  /** The text of a log, without the timestamps. */
  log(name: string, run: bigint, segment = ""): string {
    const text = readFileSync(join(this.logs, name, `${run}.log${segment}`), "utf8");
    return text.replaceAll(/^.{30} /gm, "");
  }

  /** Wait until a process writes `word` at the beginning of a line. */
  async says(name: string, run: bigint, word: string): Promise<void> {
    // The log has no events of its own: turns of the loop, while the shim's write is on its way.
    while (!this.log(name, run).includes(`F ${word}`))
      await new Promise((turn) => setImmediate(turn));
  }

  async reconnect(): Promise<void> {
    this.connection = new Connection(join(this.directory, "s.sock"));
    this.connection.hello(this.id);
    await this.connection.take("a hello", (frame) => frame.type === type.hello);
  }

  async end(graceMs = 0): Promise<Frame> {
    const answer = await this.connection.ask(type.end, new Writer().u32(graceMs).bytes());
    this.init = 0;
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.connection.closed && this.init > 0) await this.end();
    await this.connection[Symbol.asyncDispose]();
    for (const { path } of this.groups) removeTree(path);
  }
}
