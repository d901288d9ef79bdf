import { Command } from "commander";
import { type CommandEntry, commandTable, findCommand, nouns } from "./command-table.ts";
import { createGlobalFlags } from "./flags.ts";
import { report } from "./report.ts";
import { separateCommand } from "./separate-command.ts";

const version = "0.1.0";

async function main(args: readonly string[]): Promise<void> {
  // What is written after the reader has gone fails where it is written.
  process.stdout.on("error", () => undefined);
  process.stderr.on("error", () => undefined);
  const flags = createGlobalFlags();
  const chosen = findCommand(args, new Set(flags.flatMap(namesWithValue)));
  let operands: readonly string[] = [];
  try {
    const program = await createProgram(flags, chosen);
    program.hook("preAction", (_program, command) => {
      operands = command.args;
    });
    const command = chosen === undefined ? undefined : findCommandOf(program, chosen.path);
    const words =
      command === undefined ? args : separateCommand(args, chosen?.path ?? [], command, flags);
    await program.parseAsync(words, { from: "user" });
  } catch (cause) {
    const isDebug = args.slice(0, endOfFlags(args)).includes("--debug");
    const command = chosen?.path.join(" ") ?? "";
    process.exitCode = await report(cause, { command, operands, isDebug });
  }
}

/** Every command by its summary, and only the chosen one in full. */
async function createProgram(
  flags: ReturnType<typeof createGlobalFlags>,
  chosen: CommandEntry | undefined,
): Promise<Command> {
  const program = new Command("aer")
    .description("Runs and looks after cells: isolated groups of processes on one node.")
    .usage("[options] <command>")
    .version(version, "-V, --version", "show the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "aer: ")) })
    .addHelpText("after", `\n${environmentHelp}`)
    .exitOverride();
  for (const flag of flags) program.addOption(flag);
  for (const entry of commandTable) {
    const [word, verb] = entry.path;
    const parent = verb === undefined ? program : findNoun(program, word);
    const command = parent.command(verb ?? word).description(entry.summary);
    command.helpOption("-h, --help", "show this help");
    command.showHelpAfterError(`Try: aer ${entry.path.join(" ")} --help`);
    if (entry === chosen) (await entry.load()).define(command);
  }
  return program;
}

const environmentHelp = `Each flag of the connection has a variable: AER_SOCKET, AER_CA_CRT, AER_CLIENT_CRT, AER_CLIENT_KEY,
AER_SERVER_NAME and AER_CONFIG. A flag comes before a variable, a variable before the file, the file
before what is usual: /run/aurae/aurae.sock and /etc/aurae/pki.

Exit codes: 0 success, 2 usage, 3 not found, 4 denied, 5 conflict, 69 unavailable, 75 try again, 1 else.
run and wait exit as the command did; 128+N by signal N, 124 timeout, 125 failure of aer or auraed,
126 not executable, 127 not found, 137 out of memory.`;

function findCommandOf(program: Command, path: readonly string[]): Command | undefined {
  let command: Command | undefined = program;
  for (const word of path) command = command?.commands.find((each) => each.name() === word);
  return command;
}

function findNoun(program: Command, noun: string): Command {
  const found = program.commands.find((command) => command.name() === noun);
  return (
    found ??
    program
      .command(noun)
      .description(nouns[noun] ?? "")
      .usage("<command>")
  );
}

function namesWithValue(flag: ReturnType<typeof createGlobalFlags>[number]): string[] {
  return flag.required ? [flag.short, flag.long].filter((name) => name !== undefined) : [];
}

function endOfFlags(args: readonly string[]): number {
  const at = args.indexOf("--");
  return at < 0 ? args.length : at;
}

await main(process.argv.slice(2));
