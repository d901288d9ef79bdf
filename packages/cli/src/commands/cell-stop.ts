import type { Command } from "commander";
import { parseDurationFlag, readGlobalFlags } from "../flags.ts";
import { writeJson, writeOut } from "../output.ts";
import { openNode } from "../session.ts";
import { describeEnd } from "../words.ts";

export function define(command: Command): void {
  command
    .argument("<cell>", "where it runs")
    .argument("<executable>", "its name")
    .option("--grace <time>", "between SIGTERM and SIGKILL (10s)", parseDurationFlag)
    .addHelpText("after", "\nTells how it ended, also when it had ended before.")
    .action(stop);
}

async function stop(
  cell: string,
  executable: string,
  flags: { grace?: string },
  command: Command,
): Promise<void> {
  await using node = await openNode(command);
  const end = await node.cell(cell).stop(executable, { grace: flags.grace });
  if (readGlobalFlags(command).output === "json") await writeJson({ cell, executable, end });
  else await writeOut(`${executable}  ${describeEnd(end)}\n`);
}
