import type { Command } from "commander";
import { addExecutableFlags, type ExecutableFlags, readExecutable } from "../executable-flags.ts";
import { readGlobalFlags } from "../flags.ts";
import { writeJson, writeOut } from "../output.ts";
import { openNode } from "../session.ts";

export function define(command: Command): void {
  command
    .argument("<cell>", "where")
    .argument("<executable>", "its name, unique among those that run in the cell")
    .argument("[command...]", "the program and its arguments")
    .usage("[options] <cell> <executable> -- <command> [args...]");
  addExecutableFlags(command)
    .addHelpText("after", "\nExample: aer cell start web server --user 1000 -- node server.js")
    .action(start);
}

async function start(
  cell: string,
  name: string,
  words: readonly string[],
  flags: ExecutableFlags,
  command: Command,
): Promise<void> {
  const executable = readExecutable(name, words, flags);
  await using node = await openNode(command);
  const { pid, run } = await node.cell(cell).start(executable);
  if (readGlobalFlags(command).output === "json") {
    await writeJson({ cell, executable: name, pid, run });
  } else {
    await writeOut(`${name}  pid ${pid}  run ${run}\n`);
  }
}
