import { resolve } from "node:path";
import {
  defaultTrustDomain,
  parseSpiffeId,
  parseTrustDomain,
  type SpiffeId,
} from "@aurae/pki/spiffe-id";
import { parse } from "smol-toml";
import { usageRefusal } from "../process/refusal.ts";
import type { PartialConfig } from "./config.ts";
import { parseListenAddress } from "./listen-address.ts";
import { isLogLevel, logLevels } from "./log-level.ts";
import { Table } from "./table.ts";

/**
 * What a configuration file says. Keys are in snake_case:
 *
 *     socket = "/run/aurae/aurae.sock"
 *     listen = "[::1]:8080"
 *     runtime_dir = "/run/aurae"
 *     library_dir = "/var/lib/aurae"
 *     free_on_exit = false
 *     cgroup_parent = "auto"
 *     trust_domain = "aurae.local"
 *
 *     [tls]
 *     ca_crt = "/etc/aurae/pki/ca.crt"
 *     server_crt = "/etc/aurae/pki/server.crt"
 *     server_key = "/etc/aurae/pki/server.key"
 *
 *     [log]                 # of the daemon
 *     level = "info"
 *
 *     [logs]                # of executables
 *     segment_bytes = 67108864
 *     segments_kept = 32
 *     max_age_hours = 168
 *     max_bytes = 4294967296
 *     max_cells = 10000
 *
 *     [identities]          # clients whose certificates have no SPIFFE URI, by common name
 *     "nova" = "spiffe://aurae.local/user/nova"
 *
 * @throws Refusal that names the file and the key, for a key that is not known or has a wrong value
 */
export function parseConfigFile(text: string, path: string): PartialConfig {
  const file = new Table(read(text, path), path, "");
  const tls = file.table("tls");
  const log = file.table("log");
  const logs = file.table("logs");
  const trustDomain = file.parsed("trust_domain", parseTrustDomain);
  const config: Unsaid<PartialConfig> = {
    socket: file.path("socket"),
    listen: file.parsed("listen", (text) => {
      const address = parseListenAddress(text);
      if (address === undefined) throw new Error("it is not HOST:PORT");
      return address;
    }),
    runtimeDir: file.path("runtime_dir"),
    libraryDir: file.path("library_dir"),
    freeOnExit: file.boolean("free_on_exit"),
    cgroupParent: file.parsed("cgroup_parent", parseCgroupParent),
    trustDomain,
    caCrt: tls.path("ca_crt"),
    serverCrt: tls.path("server_crt"),
    serverKey: tls.path("server_key"),
    logLevel: log.parsed("level", (level) => {
      if (!isLogLevel(level)) throw new Error(`it is not one of ${logLevels.join(", ")}`);
      return level;
    }),
    logs: {
      segmentBytes: logs.integer("segment_bytes", 65_536),
      segmentsKept: logs.integer("segments_kept", 1),
      maxAgeMs: toMs(logs.integer("max_age_hours", 1)),
      maxBytes: logs.integer("max_bytes", 0),
      maxCells: logs.integer("max_cells", 0),
    },
    identities: readIdentities(file.table("identities"), (text) =>
      parseSpiffeId(text, trustDomain ?? defaultTrustDomain),
    ),
  };
  for (const table of [file, tls, log, logs]) table.refuseOthers();
  return withoutUnsaid(config);
}

/** Each member may be undefined: not said. */
type Unsaid<T> = { readonly [Key in keyof T]: T[Key] | undefined };

function read(text: string, path: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (cause) {
    const [why = ""] = cause instanceof Error ? cause.message.split("\n") : [];
    throw usageRefusal(`Cannot read the configuration ${path}: ${why}`);
  }
}

function readIdentities(
  table: Table,
  parseId: (text: string) => SpiffeId,
): ReadonlyMap<string, SpiffeId> {
  const names = table.keys();
  return new Map(
    names.flatMap((name) => {
      const id = table.parsed(name, parseId);
      return id === undefined ? [] : [[name, id] as const];
    }),
  );
}

function parseCgroupParent(text: string): string {
  if (text === "auto") return text;
  if (!text.startsWith("/") || resolve(text) !== text)
    throw new Error('it is neither "auto" nor an absolute path');
  return text;
}

function toMs(hours: number | undefined): number | undefined {
  return hours === undefined ? undefined : hours * 3_600_000;
}

function withoutUnsaid<T extends object>(config: Unsaid<T>): T {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)) as T;
}
