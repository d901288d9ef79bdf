import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defaultTrustDomain } from "@aurae/pki/spiffe-id";
import { errnoOf, inWords } from "../process/in-words.ts";
import { Refusal } from "../process/refusal.ts";
import { whyNotTrusted } from "../process/trusted-file.ts";
import type { Config, PartialConfig } from "./config.ts";
import { parseConfigFile } from "./config-file.ts";

/** Read when no other is named; its absence is fine. */
const defaultFile = "/etc/aurae/auraed.toml";

/**
 * The configuration: flags over the file over the defaults.
 *
 * @throws Refusal when the file cannot be read or used
 */
export function readConfig(flags: PartialConfig, configFile: string | undefined): Config {
  const file = readFile(configFile);
  const runtimeDir = flags.runtimeDir ?? file.runtimeDir ?? "/run/aurae";
  return {
    // A daemon with a runtime directory of its own has a socket of its own.
    socket: join(runtimeDir, "aurae.sock"),
    listen: undefined,
    libraryDir: "/var/lib/aurae",
    caCrt: "/etc/aurae/pki/ca.crt",
    serverCrt: "/etc/aurae/pki/server.crt",
    serverKey: "/etc/aurae/pki/server.key",
    logLevel: "info",
    freeOnExit: false,
    cgroupParent: "auto",
    trustDomain: defaultTrustDomain,
    identities: new Map(),
    ...file,
    ...flags,
    runtimeDir,
    logs: {
      segmentBytes: undefined,
      segmentsKept: undefined,
      maxAgeMs: undefined,
      maxBytes: undefined,
      maxCells: undefined,
      ...file.logs,
    },
  };
}

function readFile(path: string | undefined): PartialConfig {
  try {
    return parseConfigFile(readTrusted(path ?? defaultFile), path ?? defaultFile);
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    if (path === undefined && errnoOf(cause) === "ENOENT") return {};
    const message = `Cannot read the configuration ${path ?? defaultFile}: ${inWords(cause)}`;
    throw new Refusal(message, { cause });
  }
}

/** It says who is who: whoever may write to it could be anybody. */
function readTrusted(path: string): string {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = fstatSync(descriptor);
    const why = status.isFile() ? whyNotTrusted(status) : "it is not a file";
    if (why !== undefined) throw new Refusal(`Cannot trust the configuration ${path}: ${why}`);
    return readFileSync(descriptor, "utf8");
  } finally {
    closeSync(descriptor);
  }
}
