import { type ChildProcess, spawn } from "node:child_process";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { Failure } from "@aurae/domain/errors";
import { errnoOf, inWords } from "../errno.ts";
import { requireOwnSocket } from "../own-file.ts";

export interface LauncherOptions {
  /** `launcher.sock` in the runtime directory. */
  readonly socketPath: string;
  readonly shimDir: string;
  /** Make the cgroups that it and every supervisor sit in, and name them. */
  readonly prepareCgroups: () => readonly string[];
}

/** What the launcher says before it is ready is one line; a program that says more is not ours. */
const maxLineBytes = 4096;

/** The way to new supervisors. The launcher outlives us; it is started when nobody answers. */
export class Launcher {
  readonly #options: LauncherOptions;
  #starting: Promise<void> | undefined;

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  /**
   * A connection to a new supervisor.
   * @throws Failure `wrong-state` when the shim cannot be run
   */
  async connect(): Promise<Socket> {
    const path = this.#options.socketPath;
    try {
      return await openSocket(path);
    } catch (cause) {
      if (!isNobody(cause)) throw cannot("reach the launcher", cause);
    }
    // Whoever comes while it starts waits for the same one.
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
    try {
      return await openSocket(path);
    } catch (cause) {
      throw cannot("reach the launcher", cause);
    }
  }

  async #start(): Promise<void> {
    const { socketPath, shimDir, prepareCgroups } = this.#options;
    const program = join(shimDir, "aurae-launcher");
    const supervisor = join(shimDir, "aurae-supervisor");
    const child = spawn(program, [socketPath, supervisor, ...prepareCgroups()], {
      cwd: "/",
      detached: true,
      env: {},
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      const line = await firstLine(child);
      if (line !== "ready") throw unusable(line === "" ? `${program} ended at once` : line);
    } catch (cause) {
      child.kill("SIGKILL");
      if (cause instanceof Failure) throw cause;
      if (isExhausted(cause)) throw cannot("start the launcher", cause);
      throw unusable(`${program}: ${inWords(cause)}`, cause);
    } finally {
      child.stdout?.destroy();
      child.unref();
    }
  }
}

/** Connect to a Unix socket of ours, or throw what connect(2) says. */
export function openSocket(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    requireOwnSocket(path);
    const socket = connect(path);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

/** Whether somebody listens, or may: what cannot be told is taken for it. */
export async function isListening(path: string): Promise<boolean> {
  try {
    (await openSocket(path)).destroy();
    return true;
  } catch (cause) {
    return !isNobody(cause);
  }
}

/** Whether nobody listens: no socket, or one that its owner left behind. */
export function isNobody(cause: unknown): boolean {
  return errnoOf(cause) === "ENOENT" || errnoOf(cause) === "ECONNREFUSED";
}

/** What it writes up to the first newline, or until it ends. */
function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.once("error", reject);
    child.stdout?.setEncoding("utf8");
    child.stdout?.on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\n") || text.length > maxLineBytes) resolve(text.split("\n")[0] ?? "");
    });
    child.stdout?.once("close", () => resolve(text.trim()));
  });
}

function unusable(why: string, cause?: unknown): Failure {
  const message = `Cannot start the cell shim: ${why}`;
  return new Failure("wrong-state", "SHIM_UNUSABLE", message, { cause });
}

function cannot(action: string, cause: unknown): Failure {
  const kind = isExhausted(cause) ? "exhausted" : "host";
  const reason = kind === "exhausted" ? "NODE_LIMIT_REACHED" : "HOST_FAILED";
  return new Failure(kind, reason, `Cannot ${action}: ${inWords(cause)}`, { cause });
}

/** Whether descriptors, processes or memory are used up; of a connection, EAGAIN is a full queue. */
function isExhausted(cause: unknown): boolean {
  return ["EMFILE", "ENFILE", "EAGAIN", "ENOMEM"].includes(errnoOf(cause) ?? "");
}
