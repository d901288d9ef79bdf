import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { leftOf } from "./host.ts";

const bin = `${import.meta.dirname}/../bin`;

/** A daemon with directories and certificates of its own, seen from outside. */
export interface Daemon extends AsyncDisposable {
  /** Everything of it is below this directory, which goes with it. */
  readonly directory: string;
  readonly pid: number;
  /** For gRPC: `unix:/…` and, when it was asked to listen, `127.0.0.1:<port>`. */
  readonly unixTarget: string;
  readonly tcpTarget: string | undefined;
  /** Files of a client that the daemon knows. */
  readonly client: { readonly ca: string; readonly certificate: string; readonly key: string };
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
  /** What runs it, a command that execs the one which follows: `unshare --mount`. */
  readonly through?: readonly string[];
}

/** Why the tests that need a daemon cannot run here, or false. */
export const needsRoot: string | false = process.getuid?.() === 0 ? false : "a daemon needs root";

/** Start a daemon and wait until it serves. Leaving the scope frees its cells, ends it, and looks for leaks. */
export async function startDaemon(options: DaemonOptions = {}): Promise<Daemon> {
  const directory = await mkdtemp(`${options.below ?? "/tmp"}/aurae-`);
  execFileSync(`${bin}/aer`, ["pki", "init", `${directory}/pki`], { stdio: "pipe" });
  const daemon = await spawnDaemon(directory, options);
  return {
    ...daemon,
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]();
      const left = leftOf({ directory });
      await rm(directory, { recursive: true });
      if (left.length > 0) throw new Error(`The daemon left something: ${left.join(", ")}`);
    },
  };
}

/** Start a daemon on directories that are there already; leaving the scope only ends it. */
export async function spawnDaemon(
  directory: string,
  { port, env = {}, cellsStay = false, config = "", through = [] }: DaemonOptions = {},
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
    env: { ...process.env, ...env },
  });
  const ended = once(child, "exit");
  const log: string[] = [];
  await serving(createInterface({ input: child.stderr }), log);

  return {
    ...{ directory, pid: child.pid ?? 0, ended, log, unixTarget: `unix:${socket}` },
    tcpTarget: port === undefined ? undefined : `127.0.0.1:${port}`,
    client: { ca: `${pki}/ca.crt`, certificate: `${pki}/client.crt`, key: `${pki}/client.key` },
    async [Symbol.asyncDispose]() {
      // Whoever killed it has seen it end.
      if (child.signalCode !== null) return;
      child.kill("SIGTERM");
      await ended;
      if (child.exitCode !== 0)
        throw new Error(`The daemon ended with ${child.exitCode}:\n${log.join("\n")}`);
    },
  };
}

async function serving(lines: ReturnType<typeof createInterface>, log: string[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  lines.on("line", (line) => {
    log.push(line);
    if (line.includes('"serving"')) resolve();
  });
  lines.on("close", () => reject(new Error(`The daemon did not serve:\n${log.join("\n")}`)));
  await promise;
}
