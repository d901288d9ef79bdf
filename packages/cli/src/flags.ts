import { type Command, InvalidArgumentError, Option } from "commander";

/** What every command understands, as commander hands it over. */
export interface GlobalFlags {
  readonly socket?: string;
  readonly caCrt?: string;
  readonly clientCrt?: string;
  readonly clientKey?: string;
  readonly serverName?: string;
  readonly config?: string;
  readonly output: "table" | "json";
  readonly debug?: boolean;
}

/** The flags of {@link GlobalFlags}; they may stand before and after the command. */
export function createGlobalFlags(): readonly Option[] {
  return [
    new Option("--socket <address>", "the daemon: a socket's path or host:port").helpGroup(
      connection,
    ),
    new Option("--ca-crt <file>", "who signed the daemon's certificate").helpGroup(connection),
    new Option("--client-crt <file>", "the certificate to show").helpGroup(connection),
    new Option("--client-key <file>", "its key").helpGroup(connection),
    new Option("--server-name <name>", "the name the daemon has to prove").helpGroup(connection),
    new Option("--config <file>", "read these from a file").helpGroup(connection),
    new Option("-o, --output <format>", "how to answer")
      .choices(["table", "json"])
      .default("table"),
    new Option("--debug", "show where an error comes from"),
  ];
}

const connection = "Connection:";

/** The global flags, wherever on the command line they stood. */
export function readGlobalFlags(command: Command): GlobalFlags {
  return command.optsWithGlobals<GlobalFlags>();
}

/** For flags that can be given again and again, `NAME=VALUE`. Without `=`, `orElse` finds the value. */
export function parsePair(orElse: (name: string) => string | undefined) {
  return function parse(
    text: string,
    before: Readonly<Record<string, string>> = {},
  ): Readonly<Record<string, string>> {
    const at = text.indexOf("=");
    const name = at < 0 ? text : text.slice(0, at);
    const value = at < 0 ? orElse(name) : text.slice(at + 1);
    if (name === "") throw new InvalidArgumentError("The name before = is empty.");
    if (value === undefined) throw new InvalidArgumentError("It must be NAME=VALUE.");
    return { ...before, [name]: value };
  };
}

/** For flags that take a whole number. */
export function parseWhole(min: number, max: number = Number.MAX_SAFE_INTEGER) {
  return function parse(text: string): number {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) {
      const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min}–${max}`;
      throw new InvalidArgumentError(`It must be a whole number, ${range}.`);
    }
    return value;
  };
}

const units = { K: 1, M: 2, G: 3, T: 4 } as const;

/** For flags that take bytes. The text itself is handed on: the client counts. */
export function parseSizeFlag(text: string): string {
  // The same words as the client's, known before the client is loaded.
  if (!new RegExp(`^\\d+(\\.\\d+)?[${Object.keys(units).join("")}]?$`).test(text)) {
    throw new InvalidArgumentError("It must be bytes, such as 1048576, 512M or 1.5G.");
  }
  return text;
}

/** For flags that take a time span. The text itself is handed on: the client counts. */
export function parseDurationFlag(text: string): string {
  if (!/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text)) {
    throw new InvalidArgumentError("It must be a number with ms, s, m, h or d, such as 10s.");
  }
  return text;
}
