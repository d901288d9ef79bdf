import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Door } from "./client.ts";
import { leaksOfIdle } from "./oracle/idle.ts";
import { leaksSince, takeCensus } from "./oracle/oracle.ts";
import { testIdVariable } from "./oracle/processes.ts";

const bin = `${import.meta.dirname}/../bin`;

/** A daemon with directories and certificates of its own, seen from outside. */
export interface Daemon extends Door, AsyncDisposable {
  /** Everything of it is below this directory, which goes with it. */
  readonly directory: string;
  readonly pid: number;
  /** For gRPC, when it was asked to listen: `127.0.0.1:<port>`. */
  readonly tcpTarget: string | undefined;
  isRunning(): boolean;
  /** Resolves when it has ended, however it did. */
  readonly ended: Promise<unknown>;
  /** What it logged so far, a JSON record a line. */
  readonly log: readonly string[];
}

export interface DaemonOptions {
  /** To listen on, beside the Unix socket. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Where its directory is made; absent: /tmp. */
  readonly below?: string;
  /** Its cells outlive it: without `--free-on-exit`. */
  readonly cellsStay?: boolean;
  /** The text of its configuration file. */
  readonly config?: string;
  /** It ends by itself, with whatever code. */
  readonly dies?: boolean;
  /** What runs it, a command that execs the one which follows: `unshare --mount`. */
  readonly through?: readonly string[];
  /** Told its pid as soon as it has one, long before it serves. */
  readonly spawned?: (pid: number) => void;
  /** How long what it has may take to go at the end; absent: as the oracle has it. */
  readonly settleMs?: number;
  /** Of the test build, with failpoints: the plan is `run/failpoints` in its directory. */
  readonly failpoints?: boolean;
}

const startTimeoutMs = 60_000;

/** Why the tests that need a daemon cannot run here, or false. */
export const needsRoot: string | false = process.getuid?.() === 0 ? false : "a daemon needs root";

/** Start a daemon and wait until it serves. Leaving the scope frees its cells, ends it, and looks for leaks. */
export async function startDaemon(options: DaemonOptions = {}): Promise<Daemon> {
  const { below = "/tmp", settleMs } = options;
  const directory = await mkdtemp(`${below}/aurae-`);
  execFileSync(`${bin}/aer`, ["pki", "init", `${directory}/pki`], { stdio: "pipe" });
  const before = takeCensus({ directory });
  const daemon = await spawnDaemon(directory, options);
  const watched = { directory, daemon: daemon.pid };
  const fresh = takeCensus(watched);
  return {
    ...daemon,
    async [Symbol.asyncDispose]() {
      const leaks: string[] = [];
      try {
        if (daemon.isRunning())
          leaks.push(...(await leaksOfIdle(daemon, watched, fresh, settleMs)));
      } finally {
        await daemon[Symbol.asyncDispose]();
        const { files } = fresh;
        leaks.push(
          ...(await leaksSince({ ...before, files }, () => takeCensus({ directory }), settleMs)),
        );
        await rm(directory, { recursive: true });
      }
      if (leaks.length > 0) throw new Error(`The daemon left something: ${leaks.join(", ")}`);
    },
  };
}

/** Start a daemon on directories that are there already; leaving the scope only ends it. */
export async function spawnDaemon(
  directory: string,
  {
    port,
    env = {},
    cellsStay = false,
    config = "",
    through = [],
    dies = false,
    failpoints = false,
    spawned,
  }: DaemonOptions = {},
): Promise<Daemon> {
  await writeFile(`${directory}/auraed.toml`, config);
  const pki = `${directory}/pki`;
  const socket = `${directory}/run/aurae.sock`;
  const flags = {
    ...{ "--runtime-dir": `${directory}/run`, "--library-dir": `${directory}/lib` },
    ...{ "--socket": socket, "--ca-crt": `${pki}/ca.crt` },
    ...{ "--server-crt": `${pki}/server.crt`, "--server-key": `${pki}/server.key` },
    ...{ "--config": `${directory}/auraed.toml` },
    ...(port === undefined ? {} : { "--listen": `127.0.0.1:${port}` }),
  };
  const args = [...Object.entries(flags).flat(), ...(cellsStay ? [] : ["--free-on-exit"])];
  const [command = "", ...rest] = [...through, `${bin}/auraed`, ...args];
  const child = spawn(command, rest, {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      [testIdVariable]: directory,
      ...(failpoints ? { NODE_OPTIONS: "--conditions=failpoints" } : {}),
      ...{ AURAE_FAILPOINTS: `${directory}/run/failpoints` },
      ...env,
    },
  });
  const ended = once(child, "exit");
  spawned?.(child.pid ?? 0);
  const log: string[] = [];
  // One that neither serves nor ends would be waited for for ever; killed, it tells what it logged.
  const late = setTimeout(() => child.kill("SIGKILL"), startTimeoutMs);
  const isServing = await serves(createInterface({ input: child.stderr }), log);
  clearTimeout(late);
  if (!isServing) {
    await ended;
    const how = child.signalCode ?? child.exitCode;
    throw new Error(`The daemon did not serve (${how}):\n${log.join("\n")}`);
  }

  return {
    ...{ directory, pid: child.pid ?? 0, ended, log, unixTarget: `unix:${socket}` },
    tcpTarget: port === undefined ? undefined : `127.0.0.1:${port}`,
    client: { ca: `${pki}/ca.crt`, certificate: `${pki}/client.crt`, key: `${pki}/client.key` },
    isRunning: () => child.exitCode === null && child.signalCode === null,
    async [Symbol.asyncDispose]() {
      // Whoever killed it has seen it end.
      if (child.signalCode !== null || (dies && child.exitCode !== null)) return;
      child.kill("SIGTERM");
      await ended;
      if (child.exitCode !== 0)
        throw new Error(`The daemon ended with ${child.exitCode}:\n${log.join("\n")}`);
    },
  };
}

/** Whether it comes to serve before its log ends. */
function serves(lines: ReturnType<typeof createInterface>, log: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    lines.on("line", (line) => {
      log.push(line);
      if (line.includes('"serving"')) resolve(true);
    });
    lines.on("close", () => resolve(false));
  });
}
