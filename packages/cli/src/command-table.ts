import type { Command } from "commander";

/** What a file in `commands/` exports: it adds arguments, flags, help and the action to a command. */
export interface CommandModule {
  readonly define: (command: Command) => void;
}

/** One line of the help, and where the rest is: a file is loaded only when its command is asked for. */
export interface CommandEntry {
  /** `["run"]`, or a noun and a verb. */
  readonly path: readonly [string] | readonly [noun: string, verb: string];
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
}

/** The nouns that group commands, in the order of the help. */
export const nouns: Readonly<Record<string, string>> = {
  cell: "allocate, free and list cells; start and stop executables in them",
  pki: "make the certificates of a node and its clients",
};

/** Every command, in the order of the help. */
export const commandTable: readonly CommandEntry[] = [
  {
    path: ["run"],
    summary: "run a command in a cell of its own, and tell how it ended",
    load: () => import("./commands/run.ts"),
  },
  {
    path: ["logs"],
    summary: "show what an executable, a process or the daemon has written",
    load: () => import("./commands/logs.ts"),
  },
  {
    path: ["wait"],
    summary: "wait until executables have ended",
    load: () => import("./commands/wait.ts"),
  },
  {
    path: ["cell", "allocate"],
    summary: "make a cell and reserve its resources",
    load: () => import("./commands/cell-allocate.ts"),
  },
  {
    path: ["cell", "free"],
    summary: "end a cell and all it holds",
    load: () => import("./commands/cell-free.ts"),
  },
  {
    path: ["cell", "start"],
    summary: "start an executable in a cell",
    load: () => import("./commands/cell-start.ts"),
  },
  {
    path: ["cell", "stop"],
    summary: "end an executable and all that came of it",
    load: () => import("./commands/cell-stop.ts"),
  },
  {
    path: ["cell", "list"],
    summary: "show the cells of the node, and what runs and ran in them",
    load: () => import("./commands/cell-list.ts"),
  },
  {
    path: ["pki", "init"],
    summary: "make a CA and the certificates of a server and a client",
    load: () => import("./commands/pki-init.ts"),
  },
];

/**
 * Find the command that the arguments ask for, without knowing its flags: the first words that are
 * neither flags nor the values of global ones.
 */
export function findCommand(
  args: readonly string[],
  flagsWithValue: ReadonlySet<string>,
): CommandEntry | undefined {
  const words: string[] = [];
  for (let at = 0; at < args.length && words.length < 2; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") break;
    if (flagsWithValue.has(arg)) at++;
    else if (!arg.startsWith("-")) words.push(arg);
  }
  // `aer help cell list` is the same as `aer cell list --help`.
  if (words[0] === "help") return findCommand(args.slice(args.indexOf("help") + 1), flagsWithValue);
  return commandTable.find(({ path }) => path.every((word, at) => word === words[at]));
}
