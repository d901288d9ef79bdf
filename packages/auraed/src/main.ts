import { readFileSync } from "node:fs";
import { Cells } from "@aurae/domain/cells";
import { Failure } from "@aurae/domain/errors";
import { LogHistory, Logs } from "@aurae/domain/observe";
import { defaultRetention, FileLogStore, LinuxHost, openLock } from "@aurae/linux";
import { shimDirectory as shimDir } from "#shim-directory";
import { isEndingSoon, readTlsFiles, type TlsFiles } from "./access/tls-files.ts";
import type { Config } from "./config/config.ts";
import { type Command, parseFlags, usage } from "./config/flags.ts";
import { readConfig } from "./config/read-config.ts";
import { logEvents } from "./logging/cell-events.ts";
import { createDaemonLog, type DaemonLog } from "./logging/daemon-log.ts";
import { prepareDirectory } from "./process/directories.ts";
import { closeInheritedDescriptors } from "./process/inherited-descriptors.ts";
import { catchTheRest } from "./process/last-resort.ts";
import { exitCodes, Refusal } from "./process/refusal.ts";
import { repeat } from "./process/repeat.ts";
import { requireMachine } from "./process/requirements.ts";
import { ServiceManager } from "./process/service-manager.ts";
import { requireShim } from "./process/shim-programs.ts";
import { Signals } from "./process/signals.ts";
import { Front, stopTimeoutMs } from "./server/front.ts";
import { Readiness } from "./services/readiness.ts";

/** Between SIGTERM and SIGKILL for what runs in cells that end with the daemon. */
const freeGraceMs = 10_000;

/** How often logs that are kept too long are removed. */
const retentionEveryMs = 3_600_000;

try {
  await main(process.argv.slice(2));
} catch (cause) {
  const expected = cause instanceof Refusal || cause instanceof Failure;
  process.stderr.write(`auraed: ${expected ? cause.message : toText(cause)}\n`);
  process.exit(cause instanceof Refusal ? cause.exitCode : exitCodes.failed);
}

async function main(args: readonly string[]): Promise<void> {
  const command = parseFlags(args);
  if (command.kind === "help") {
    process.stdout.write(usage);
    return;
  }
  if (command.kind === "version") {
    process.stdout.write(`auraed ${readVersion()}\n`);
    return;
  }
  closeInheritedDescriptors();
  // It was for us (bin/auraed), and is nothing for the programs we start.
  delete process.env["NODE_COMPILE_CACHE"];
  requireMachine();
  const config = readConfig(command.flags, command.configFile);
  const history = new LogHistory();
  const log = createDaemonLog(config.logLevel, history);
  catchTheRest(log);
  try {
    await serve(command, config, log, history);
  } finally {
    log.flush();
  }
  // What still holds the event loop is of no use any more.
  process.exit();
}

/** From the lock to the end: every `using` is given back in reverse order, also when a step fails. */
async function serve(
  command: Command & { readonly kind: "serve" },
  config: Config,
  log: DaemonLog,
  history: LogHistory,
): Promise<void> {
  const { logger } = log;
  const manager = new ServiceManager(process.env, (err) =>
    logger.warn({ err }, "systemd not told"),
  );
  using signals = new Signals(() => process.exit(exitCodes.failed));

  const tls = readTlsFiles(config);
  warnOfEnd(tls, log);
  requireShim(shimDir);
  prepareDirectory(config.runtimeDir, "runtime directory", 0o750);
  prepareDirectory(config.libraryDir, "library directory", 0o700);
  using _lock = openLock(config.runtimeDir);
  await using store = openLogStore(config, log);
  const readiness = new Readiness();
  await using host = openHost(config, store, log, readiness);
  const cells = new Cells(host, logEvents(logger));
  for (const cell of await cells.adopt())
    logger.error({ cell }, "cell left alone: its parent could not be taken over");
  using _retention = repeat(
    retentionEveryMs,
    () => store.retain(new Date()),
    (err) => logger.error({ err }, "old logs not removed"),
  );

  const logs = new Logs(cells, store);
  const callers = { trustDomain: config.trustDomain, identities: config.identities };
  const { socket, listen } = config;
  const options = { socket, listen, tls, callers, log: logger };
  await using front = await Front.open({ cells, logs, history, readiness }, options);

  signals.onReload(() => void reload(command, front, log, manager));
  const listening = `listening on ${front.addresses.join(", ")}`;
  await manager.notify({ kind: "ready", status: listening });
  // From the event loop: when it hangs, systemd hears nothing, and puts another in our place (fault 15).
  using _alive = repeat(
    manager.aliveEveryMs,
    () => manager.notify({ kind: "alive" }),
    () => undefined,
  );
  logger.info({ version: readVersion(), listening: front.addresses }, "serving");

  const signal = await signals.stopped;
  logger.info({ signal }, "stopping");
  await Promise.all([
    manager.notify({ kind: "stopping", status: "finishing calls" }),
    front.close(AbortSignal.timeout(stopTimeoutMs)),
  ]);
  if (config.freeOnExit) {
    for (const { cell, cause } of await cells.freeAll(freeGraceMs)) {
      logger.error({ cell, err: cause }, "cell not freed");
      process.exitCode = exitCodes.failed;
    }
    if (!(await host.retire())) logger.warn("the launcher and its cgroups stay");
  }
  logger.info("stopped");
}

/** Take what SIGHUP can change, all of it or nothing. */
async function reload(
  { flags, configFile }: Command & { readonly kind: "serve" },
  front: Front,
  { logger }: DaemonLog,
  manager: ServiceManager,
): Promise<void> {
  await manager.notify({ kind: "reloading" });
  try {
    const config = readConfig(flags, configFile);
    const tls = readTlsFiles(config);
    front.reload(tls);
    logger.level = config.logLevel;
    warnOfEnd(tls, { logger });
    logger.info({ level: config.logLevel }, "reloaded certificates and log level");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    logger.error({ why }, "kept the old certificates and log level");
  }
  const status = `listening on ${front.addresses.join(", ")}`;
  await manager.notify({ kind: "ready", status });
}

/** A certificate that has ended shuts out everybody: it is said while there is time. */
function warnOfEnd({ life }: TlsFiles, { logger }: Pick<DaemonLog, "logger">): void {
  if (!isEndingSoon(life, new Date())) return;
  const until = life.notAfter.toISOString();
  logger.warn({ until }, "the server's certificate ends soon: renew it, then send SIGHUP");
}

function openLogStore({ libraryDir, logs }: Config, { logger }: DaemonLog): FileLogStore {
  const { segmentBytes, segmentsKept, maxAgeMs, maxBytes, maxCells } = logs;
  return new FileLogStore({
    libraryDir,
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    ...(segmentsKept === undefined ? {} : { segmentsKept }),
    retention: {
      maxAgeMs: maxAgeMs ?? defaultRetention.maxAgeMs,
      maxBytes: maxBytes ?? defaultRetention.maxBytes,
      maxCells: maxCells ?? defaultRetention.maxCells,
    },
    warn: (message) => logger.warn(message),
  });
}

function openHost(
  { runtimeDir, cgroupParent }: Config,
  logs: FileLogStore,
  { logger }: DaemonLog,
  readiness: Readiness,
): LinuxHost {
  const options = { runtimeDir, shimDir, logs, cgroupParent, build: readVersion() };
  return new LinuxHost({
    ...options,
    warn: (message) => logger.warn(message),
    readinessChanged(why) {
      readiness.set(why);
      if (why === undefined) logger.info("new work is taken again");
      else logger.error({ why }, "no new work is taken");
    },
  });
}

function readVersion(): string {
  const path = new URL("../package.json", import.meta.url);
  const manifest: unknown = JSON.parse(readFileSync(path, "utf8"));
  const isManifest = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return isManifest ? String(manifest.version) : "unknown";
}

function toText(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
