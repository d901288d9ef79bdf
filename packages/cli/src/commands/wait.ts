import type { CellRef, End } from "@aurae/client";
import type { Command } from "commander";
import { toEndExitCode } from "../exit-codes.ts";
import { parseWhole, readGlobalFlags } from "../flags.ts";
import { writeJson, writeOut } from "../output.ts";
import { Exit, UsageError } from "../report.ts";
import { openNode } from "../session.ts";
import { describeEnd } from "../words.ts";

interface Flags {
  readonly run?: number;
}

export function define(command: Command): void {
  command
    .argument("<cell>", "the cell")
    .argument("[executable]", "absent: all that run in the cell at this moment")
    .option("--run <number>", "not the latest run, but this", parseWhole(1))
    .addHelpText("after", "\nTells how they ended. Of one executable, exits as it did.")
    .action(wait);
}

async function wait(
  cell: string,
  executable: string | undefined,
  flags: Flags,
  command: Command,
): Promise<void> {
  if (executable === undefined && flags.run !== undefined) {
    throw new UsageError("Cannot wait for a run: the name of the executable is missing");
  }
  await using node = await openNode(command);
  const ended = await waitFor(node.cell(cell), executable, flags);
  if (readGlobalFlags(command).output === "json") await writeJson({ cell, executables: ended });
  else for (const { name, end } of ended) await writeOut(`${name}  ${describeEnd(end)}\n`);
  const [only] = ended;
  if (executable !== undefined && only !== undefined) throw new Exit(toEndExitCode(only.end));
}

async function waitFor(
  cell: CellRef,
  executable: string | undefined,
  { run }: Flags,
): Promise<readonly { readonly name: string; readonly end: End }[]> {
  if (executable !== undefined) {
    const options = run === undefined ? {} : { run: BigInt(run) };
    return [{ name: executable, end: await cell.wait(executable, options) }];
  }
  const ended = await cell.waitAll();
  return ended.flatMap(({ name, end }) => (end === undefined ? [] : [{ name, end }]));
}
