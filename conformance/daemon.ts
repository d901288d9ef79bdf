import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createInterface } from "node:readline";

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
  /** What it logged so far, a JSON record a line. */
  readonly log: readonly string[];
}

/** Why the tests that need a daemon cannot run here, or false. */
export const needsRoot: string | false = process.getuid?.() === 0 ? false : "a daemon needs root";

/** Start a daemon and wait until it serves. Leaving the scope frees its cells and ends it. */
export async function startDaemon({ port }: { readonly port?: number } = {}): Promise<Daemon> {
  const directory = await mkdtemp("/tmp/aurae-");
  const pki = `${directory}/pki`;
  execFileSync(`${bin}/aer`, ["pki", "init", pki], { stdio: ["ignore", "ignore", "inherit"] });
  const socket = `${directory}/run/aurae.sock`;
  const flags = [
    ...[
      "--runtime-dir",
      `${directory}/run`,
      "--library-dir",
      `${directory}/lib`,
      "--socket",
      socket,
    ],
    ...[
      "--ca-crt",
      `${pki}/ca.crt`,
      "--server-crt",
      `${pki}/server.crt`,
      "--server-key",
      `${pki}/server.key`,
    ],
    ...(port === undefined ? [] : ["--listen", `127.0.0.1:${port}`]),
    "--free-on-exit",
  ];
  const child = spawn(`${bin}/auraed`, flags, { stdio: ["ignore", "ignore", "pipe"] });
  const log: string[] = [];
  await serving(createInterface({ input: child.stderr }), log);

  return {
    ...{ directory, pid: child.pid ?? 0, log },
    ...{
      unixTarget: `unix:${socket}`,
      tcpTarget: port === undefined ? undefined : `127.0.0.1:${port}`,
    },
    client: { ca: `${pki}/ca.crt`, certificate: `${pki}/client.crt`, key: `${pki}/client.key` },
    async [Symbol.asyncDispose]() {
      const exited = child.exitCode === null ? once(child, "exit") : [child.exitCode];
      child.kill("SIGTERM");
      const [code] = await exited;
      await rm(directory, { recursive: true });
      if (code !== 0) throw new Error(`The daemon ended with ${code}:\n${log.join("\n")}`);
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
