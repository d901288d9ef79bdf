import type { ExecutableSpec } from "@aurae/client";
import { type Command, InvalidArgumentError } from "commander";
import { parsePair } from "./flags.ts";
import { UsageError } from "./report.ts";

/** What {@link addExecutableFlags} reads. */
export interface ExecutableFlags {
  readonly env?: Readonly<Record<string, string>>;
  readonly workdir?: string;
  readonly user?: User;
  readonly sh?: string;
}

interface User {
  readonly uid: number;
  readonly gid: number | undefined;
}

/** The flags that say how an executable runs. */
export function addExecutableFlags(command: Command): Command {
  return command
    .optionsGroup("Executable:")
    .option("--sh <script>", "run a script with /bin/sh -c, instead of a command")
    .option(
      "--env <name=value>",
      "a variable; NAME alone takes yours; again for more",
      parsePair((name) => process.env[name]),
    )
    .option("--workdir <path>", "where it starts, as the cell sees it (/)")
    .option("--user <uid[:gid]>", "numbers of the user and group that run it (0)", parseUser);
}

/** The command line after `--`, or the script, as the client takes it. */
export function readExecutable(
  name: string,
  words: readonly string[],
  flags: ExecutableFlags,
): ExecutableSpec {
  const { env, workdir, user, sh } = flags;
  const common = { name, env, workdir, uid: user?.uid, gid: user?.gid };
  const [program, ...args] = words;
  if (sh !== undefined && program !== undefined) {
    throw new UsageError("Cannot run both: give a command or --sh, not both");
  }
  if (sh !== undefined) return { ...common, sh };
  if (program === undefined) throw new UsageError("Cannot run nothing: give a command after --");
  return { ...common, command: [program, ...args] };
}

function parseUser(text: string): User {
  const match = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  if (match === null)
    throw new InvalidArgumentError("It must be numbers, such as 1000 or 1000:1000.");
  const [, uid, gid] = match;
  return { uid: Number(uid), gid: gid === undefined ? undefined : Number(gid) };
}
