import type { Command } from "commander";
import { parseDurationFlag, readGlobalFlags } from "../flags.ts";
import { writeJson, writeOut } from "../output.ts";
import { openNode } from "../session.ts";

export function define(command: Command): void {
  command
    .argument("<name>", "the cell")
    .option("--grace <time>", "between SIGTERM and SIGKILL (10s)", parseDurationFlag)
    .addHelpText("after", "\nIts children end first. Answers when nothing is left but the logs.")
    .action(free);
}

async function free(name: string, flags: { grace?: string }, command: Command): Promise<void> {
  await using node = await openNode(command);
  await node.cell(name).free({ grace: flags.grace });
  if (readGlobalFlags(command).output === "json") await writeJson({ cell: name });
  else await writeOut(`${name}\n`);
}
