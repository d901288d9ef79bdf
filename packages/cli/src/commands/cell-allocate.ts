import type { Command } from "commander";
import { readGlobalFlags } from "../flags.ts";
import { addLimitFlags, type LimitFlags, readCellSpec } from "../limit-flags.ts";
import { writeJson, writeOut } from "../output.ts";
import { openNode } from "../session.ts";

export function define(command: Command): void {
  addLimitFlags(command.argument("<name>", "segments joined by /: a child after its parents"))
    .addHelpText(
      "after",
      "\nPrints the name. Example: aer cell allocate web --memory 512M --cpus 1.5",
    )
    .action(allocate);
}

async function allocate(name: string, flags: LimitFlags, command: Command): Promise<void> {
  await using node = await openNode(command);
  const cell = await node.cells.allocate(readCellSpec(name, flags));
  if (readGlobalFlags(command).output === "json") {
    await writeJson({ cell: cell.name, cgroupV2: cell.cgroupV2 });
  } else {
    await writeOut(`${cell.name}\n`);
  }
}
