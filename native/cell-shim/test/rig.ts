/**
 * What the tests of the cell shim stand on: a launcher on a temporary directory, cgroups of its own on
 * the real kernel, and cells in them.
 */
import assert from "node:assert/strict";
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
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { Connection } from "./connection.ts";
import { allNamespaces, type Frame, Reader, readFailure, type, Writer } from "./frames.ts";
import { type Hierarchy, hierarchies, removeTree } from "./groups.ts";

export const build: string = join(
  import.meta.dirname,
  process.env["AURAE_SHIM_BUILD"] ?? "../build",
);

/** A test that makes cells needs root. */
export const skip: false | string = process.getuid?.() === 0 ? false : "needs root";

/** The first piece that a program writes. */
export async function firstOutput(program: ChildProcess): Promise<string> {
  assert.ok(program.stdout);
  for await (const piece of program.stdout.iterator({ destroyOnReturn: false }))
    return String(piece);
  return "";
}

/** One turn of the event loop: for what the kernel does at once, but tells nobody. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

export function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Every process that sits in a cgroup of a node. */
function leftovers(node: Node): string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(node.name);
    } catch {
      return false; // It has ended meanwhile.
    }
  });
}

/** A node for the tests of a suite, and afterwards a look for what they left behind. */
export function useNode(): () => Node {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  let node: Node | undefined;
  before(async () => {
    node = await Node.start();
  });
  after(async () => {
    assert.ok(node);
    await node[Symbol.asyncDispose]();
    assert.deepEqual(leftovers(node), []);
    assert.equal(readFileSync("/proc/self/mountinfo", "utf8"), mounts);
  });
  return () => {
    assert.ok(node);
    return node;
  };
}

/** A launcher with a directory and cgroups of its own. */
export class Node implements AsyncDisposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), "aurae-shimtest-"));
  readonly hierarchies: readonly Hierarchy[];
  readonly socket: string = join(this.directory, "launcher.sock");
  readonly launcher: ChildProcess;
  readonly name: string = this.directory.split("/").at(-1) as string;
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
    const line = await firstOutput(node.launcher);
    if (line !== "ready\n") throw new Error(`launcher: ${line}`);
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
      while (readFileSync(members, "utf8") !== "") await turn();
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
  async enclose(
    namespaces: number = allNamespaces,
    segmentBytes: bigint = 1n << 26n,
    kept = 4,
  ): Promise<Frame> {
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

  static async open(node: Node, namespaces: number = allNamespaces, parent?: Cell): Promise<Cell> {
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
    while (!this.log(name, run).includes(`F ${word}`)) await turn();
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
