import type { CellService } from "@aurae/api/runtime";
import { type ExecutableInfo, readExecutableInfo } from "./cell-info.ts";
import { type Duration, parseDuration } from "./duration.ts";
import { AuraeError, NotFound } from "./errors.ts";
import type { LogItem, LogOptions, Logs } from "./logs.ts";
import { type CallOptions, type ChangeOptions, type RpcClient, toRequestId } from "./rpc.ts";
import { type End, readEnd } from "./run-end.ts";

/** What to run. Either `command`, the program and its arguments, or `sh`, a script for `/bin/sh -c`. */
export type ExecutableSpec = {
  /** Unique in its cell among those that run. */
  readonly name: string;
  readonly description?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Absolute, as the cell sees it. Absent: `/`. */
  readonly workdir?: string | undefined;
  /** Absent: 0, root inside the cell with its few capabilities. */
  readonly uid?: number | undefined;
  /** Absent: the number of `uid`. */
  readonly gid?: number | undefined;
} & (
  | { readonly command: readonly [program: string, ...args: string[]]; readonly sh?: undefined }
  | { readonly sh: string; readonly command?: undefined }
);

/** What was started. */
export interface Started {
  readonly name: string;
  /** The process as the daemon sees it. */
  readonly pid: number;
  /** The number of this run, unique in the cell; the first is 1. */
  readonly run: bigint;
}

/** How long to wait between SIGTERM and SIGKILL. Absent: 10 s. */
export interface GraceOptions extends ChangeOptions {
  readonly grace?: Duration | (string & {}) | undefined;
}

/** A cell by its name. Making one asks nobody whether there is such a cell, and owns nothing. */
export class CellRef {
  readonly name: string;
  readonly #rpc: RpcClient<typeof CellService>;
  readonly #logs: Logs;

  constructor(name: string, rpc: RpcClient<typeof CellService>, logs: Logs) {
    this.name = name;
    this.#rpc = rpc;
    this.#logs = logs;
  }

  /** Start an executable. Answers when exec has succeeded. */
  async start(spec: ExecutableSpec, options: ChangeOptions = {}): Promise<Started> {
    const request = { executable: toExecutable(this.name, spec), ...toRequestId(options) };
    const { pid, run } = await this.#rpc.start(request, options);
    return { name: spec.name, pid: Number(pid), run };
  }

  /** End an executable and all that came of it. Answers when none is left; of an ended one it tells the end. */
  async stop(executable: string, options: GraceOptions = {}): Promise<End> {
    const names = { cellName: this.name, executableName: executable };
    const request = { ...names, ...toGrace(options), ...toRequestId(options) };
    const { end } = await this.#rpc.stop(request, options);
    return readEndOf(executable, end);
  }

  /** Wait until an executable has ended: the latest run of it, or the one that is named. */
  async wait(executable: string, options: CallOptions & { run?: bigint } = {}): Promise<End> {
    const { run } = options;
    const request = { cellName: this.name, executableName: executable, ...(run && { run }) };
    const { executables } = await this.#rpc.wait(request, options);
    return readEndOf(executable, executables[0]?.end);
  }

  /** Wait until all that run in the cell at this moment have ended. */
  async waitAll(options?: CallOptions): Promise<readonly ExecutableInfo[]> {
    const { executables } = await this.#rpc.wait({ cellName: this.name }, options);
    return executables.map(readExecutableInfo);
  }

  /** End the cell and all it holds. Answers when nothing is left but its logs. */
  async free(options: GraceOptions = {}): Promise<void> {
    const request = { cellName: this.name, ...toGrace(options), ...toRequestId(options) };
    await this.#rpc.free(request, options);
  }

  /** The lines of an executable, as `node.logs()`. */
  logs(executable: string, options: LogOptions = {}): AsyncGenerator<LogItem, void, undefined> {
    return this.#logs.follow({ cell: this.name, executable }, options);
  }
}

/** A cell that was allocated here: leaving the `await using` scope frees it. */
export class CellHandle extends CellRef implements AsyncDisposable {
  /** True exactly when the controllers that limit this cell are cgroup version 2's. */
  readonly cgroupV2: boolean;
  #isFreed = false;

  constructor(name: string, cgroupV2: boolean, rpc: RpcClient<typeof CellService>, logs: Logs) {
    super(name, rpc, logs);
    this.cgroupV2 = cgroupV2;
  }

  override async free(options: GraceOptions = {}): Promise<void> {
    await super.free(options);
    this.#isFreed = true;
  }

  /** Frees the cell, if nobody has yet. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isFreed) return;
    try {
      await this.free();
    } catch (cause) {
      if (!(cause instanceof NotFound)) throw cause;
    }
  }
}

function toExecutable(cellName: string, spec: ExecutableSpec) {
  const { name, description = "", env = {}, workdir = "", uid, gid } = spec;
  const [command, ...args] = spec.command ?? [spec.sh];
  return {
    name,
    cellName,
    description,
    command,
    args,
    noShell: spec.command !== undefined,
    env,
    workingDirectory: workdir,
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
  };
}

function toGrace({ grace }: GraceOptions): { readonly graceMs?: number } {
  return grace === undefined ? {} : { graceMs: parseDuration(grace) };
}

function readEndOf(executable: string, end: Parameters<typeof readEnd>[0] | undefined): End {
  if (end !== undefined) return readEnd(end);
  throw new AuraeError("INTERNAL", `Cannot tell how ${executable} ended: the daemon did not say`);
}
