import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { usageRefusal } from "../process/refusal.ts";
import type { PartialConfig } from "./config.ts";
import { parseListenAddress } from "./listen-address.ts";

/** What the command line asks for. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | {
      readonly kind: "serve";
      /** Undefined: the default file, if it is there. */
      readonly configFile: string | undefined;
      readonly flags: PartialConfig;
    };

export const usage = `Usage: auraed [options]

Runs cells on this machine, for clients that come with a certificate.

Options:
  -s, --socket PATH        Unix socket to listen on (aurae.sock in the runtime dir)
      --listen HOST:PORT   listen on TCP too; an IPv6 address in brackets (off)
  -r, --runtime-dir DIR    what lives as long as this boot (/run/aurae)
  -l, --library-dir DIR    what stays: logs of executables (/var/lib/aurae)
      --ca-crt FILE        authority of the clients (/etc/aurae/pki/ca.crt)
      --server-crt FILE    certificate of this daemon (/etc/aurae/pki/server.crt)
      --server-key FILE    its key (/etc/aurae/pki/server.key)
      --free-on-exit       free every cell when the daemon stops; else they stay
      --config FILE        TOML; options win over it (/etc/aurae/auraed.toml, if it exists)
  -v, --verbose            log more
      --version            print the version
  -h, --help               print this

SIGTERM stops the daemon; SIGHUP makes it read its certificates and log level again.
`;

/** Read the command line. @throws Refusal with the exit code of wrong usage */
export function parseFlags(args: readonly string[]): Command {
  const values = parse(args);
  if (values.help) return { kind: "help" };
  if (values.version) return { kind: "version" };
  const flags = {
    socket: absolute(values.socket),
    listen: values.listen === undefined ? undefined : listenAddress(values.listen),
    runtimeDir: absolute(values["runtime-dir"]),
    libraryDir: absolute(values["library-dir"]),
    caCrt: absolute(values["ca-crt"]),
    serverCrt: absolute(values["server-crt"]),
    serverKey: absolute(values["server-key"]),
    freeOnExit: values["free-on-exit"],
    logLevel: values.verbose ? ("debug" as const) : undefined,
  };
  const said = Object.entries(flags).filter(([, value]) => value !== undefined);
  return { kind: "serve", configFile: absolute(values.config), flags: Object.fromEntries(said) };
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  const switched = { type: "boolean" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        socket: { ...text, short: "s" },
        listen: text,
        "runtime-dir": { ...text, short: "r" },
        "library-dir": { ...text, short: "l" },
        "ca-crt": text,
        "server-crt": text,
        "server-key": text,
        "free-on-exit": switched,
        config: text,
        verbose: { ...switched, short: "v" },
        version: switched,
        help: { ...switched, short: "h" },
      },
    }).values;
  } catch (cause) {
    const [why = ""] = cause instanceof Error ? cause.message.split("\n") : [];
    throw usageRefusal(`Cannot read the command line: ${why} (auraed --help)`);
  }
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}

function listenAddress(text: string) {
  const address = parseListenAddress(text);
  if (address !== undefined) return address;
  throw usageRefusal(`Cannot listen on ${JSON.stringify(text)}: it is not HOST:PORT`);
}
