import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { CredentialOptions } from "./credentials.ts";
import { clientDomain, Invalid } from "./errors.ts";
import { describeSystemError, isSystemError } from "./system-error.ts";

/** With whom to speak and as whom: what flags, variables, files and defaults are asked for. */
export interface ConnectionOptions extends CredentialOptions {
  /** A path or `host:port`. */
  readonly socket: string;
  /** The name that the daemon's certificate has to carry. Absent: the host, or `localhost`. */
  readonly serverName?: string | undefined;
}

/** What the caller says of it; undefined is not said. */
export type GivenConnection = {
  readonly [Key in keyof ConnectionOptions]?: ConnectionOptions[Key] | undefined;
};

/** Where values that the caller does not give are looked for. */
export interface ConfigSources {
  /** A configuration file, which then must exist. Absent: `AER_CONFIG`, else {@link configPaths}. */
  readonly config?: string | undefined;
  /** Absent: the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** What holds when nobody says otherwise. */
export const defaultConnection: ConnectionOptions = {
  socket: "/run/aurae/aurae.sock",
  caCrt: "/etc/aurae/pki/ca.crt",
  clientCrt: "/etc/aurae/pki/client.crt",
  clientKey: "/etc/aurae/pki/client.key",
};

const keys = [
  { option: "socket", variable: "AER_SOCKET", table: "system", key: "socket" },
  { option: "serverName", variable: "AER_SERVER_NAME", table: "system", key: "server_name" },
  { option: "caCrt", variable: "AER_CA_CRT", table: "auth", key: "ca_crt" },
  { option: "clientCrt", variable: "AER_CLIENT_CRT", table: "auth", key: "client_crt" },
  { option: "clientKey", variable: "AER_CLIENT_KEY", table: "auth", key: "client_key" },
] as const satisfies readonly { option: keyof ConnectionOptions; [key: string]: string }[];

type Option = (typeof keys)[number]["option"];

/**
 * Find out with whom to speak: what the caller gives, else the variables `AER_…`, else the
 * configuration file, else {@link defaultConnection}; each value by itself.
 *
 * @throws {Invalid} when the file is broken; it names the file and the key.
 */
export async function resolveConnection(
  given: GivenConnection = {},
  sources: ConfigSources = {},
): Promise<ConnectionOptions> {
  const env = sources.env ?? process.env;
  const file = await readConfig(sources.config ?? nonEmpty(env["AER_CONFIG"]), env);
  const found: { [option in Option]?: string } = {};
  for (const { option, variable } of keys) {
    const value = given[option] ?? nonEmpty(env[variable]) ?? file[option];
    if (value !== undefined) found[option] = value;
  }
  return { ...defaultConnection, ...found };
}

/** The files that are looked for, in this order; the first that exists is read, alone. */
export function configPaths(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const home = nonEmpty(env["HOME"]) ?? homedir();
  const own = nonEmpty(env["XDG_CONFIG_HOME"]) ?? join(home, ".config");
  return [
    join(own, "aer/config.toml"),
    join(home, ".aurae/config"),
    "/etc/aurae/config",
    "/var/lib/aurae/config",
  ];
}

async function readConfig(
  chosen: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Partial<ConnectionOptions>> {
  for (const path of chosen === undefined ? configPaths(env) : [chosen]) {
    const text = await readText(path, chosen !== undefined);
    if (text !== undefined) return parseConfig(resolve(path), text, env);
  }
  return {};
}

async function readText(path: string, isChosen: boolean): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const isAbsent = isSystemError(cause) && ["ENOENT", "ENOTDIR"].includes(cause.code);
    if (isAbsent && !isChosen) return undefined;
    throw refuse(
      `Cannot read configuration ${path}: ${isAbsent ? "no such file" : describeSystemError(cause)}`,
      cause,
    );
  }
}

/** Keys that are not ours are left alone: upstream's file may have more. */
async function parseConfig(
  path: string,
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Partial<ConnectionOptions>> {
  const { parse } = await import("smol-toml");
  let document: Readonly<Record<string, unknown>>;
  try {
    document = parse(text);
  } catch (cause) {
    const [first = ""] = String((cause as Error).message).split("\n");
    throw refuse(`Cannot read configuration ${path}: ${first}`, cause);
  }
  const found: { [option in Option]?: string } = {};
  for (const { option, table, key } of keys) {
    const value = readKey(path, document, table, key);
    if (value !== undefined) found[option] = expand(option, value, dirname(path), env);
  }
  return found;
}

function readKey(
  path: string,
  document: Readonly<Record<string, unknown>>,
  table: string,
  key: string,
): string | undefined {
  const section = document[table];
  if (section === undefined) return undefined;
  if (typeof section !== "object" || section === null) {
    throw refuse(`Cannot read configuration ${path}: ${table} must be a table`);
  }
  const value = (section as Readonly<Record<string, unknown>>)[key];
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "") {
    throw refuse(`Cannot read configuration ${path}: ${table}.${key} must be text`);
  }
  return value;
}

/** Paths are relative to the file that names them, and `~` is the home of the user. */
function expand(
  option: Option,
  value: string,
  directory: string,
  env: Readonly<Record<string, string | undefined>>,
): string {
  if (option === "serverName" || (option === "socket" && !/^[~./]/.test(value))) return value;
  const home = nonEmpty(env["HOME"]) ?? homedir();
  return resolve(directory, value.replace(/^~(?=\/|$)/, home));
}

/** As usual, a variable that is set to nothing counts as not set. */
function nonEmpty(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}

function refuse(message: string, cause?: unknown): Invalid {
  return new Invalid("INVALID_ARGUMENT", message, {
    reason: "CONFIG_INVALID",
    domain: clientDomain,
    cause,
  });
}
