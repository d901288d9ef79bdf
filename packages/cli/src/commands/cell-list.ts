import type { CellInfo, ExecutableInfo } from "@aurae/client";
import type { Command } from "commander";
import { readGlobalFlags } from "../flags.ts";
import { say, writeJson, writeTable } from "../output.ts";
import { openNode } from "../session.ts";
import { describeEnd, describeLimits } from "../words.ts";

export function define(command: Command): void {
  command
    .argument("[name]", "only this cell and its children")
    .addHelpText(
      "after",
      "\nWith -o json: bytes and times are exact, states and reasons are words.",
    )
    .action(list);
}

async function list(name: string | undefined, _flags: object, command: Command): Promise<void> {
  await using node = await openNode(command);
  const cells = await node.list({ cell: name });
  if (readGlobalFlags(command).output === "json") await writeJson({ cells });
  else if (cells.length === 0) say("There are no cells. Try: aer cell allocate NAME");
  else await writeTable([["NAME", "STATE", "PID", "LIMITS OR COMMAND"], ...cells.flatMap(toRows)]);
}

function toRows(cell: CellInfo): string[][] {
  const below = [
    ...cell.executables.map((executable) => [toRow(executable)]),
    ...cell.children.map(toRows),
  ];
  const details = cell.reason === "" ? describeLimits(cell.limits) : cell.reason;
  return [
    [cell.name, cell.state, "", details],
    ...below.flatMap((rows, at) => indent(rows, at === below.length - 1)),
  ];
}

function toRow({ name, state, pid, command, args, end }: ExecutableInfo): string[] {
  const how = end === undefined ? toLine([command, ...args]) : describeEnd(end);
  return [name, state, end === undefined ? `${pid ?? ""}` : "", how];
}

/** Draw the branch that these rows hang on. */
function indent(rows: readonly string[][], isLast: boolean): string[][] {
  return rows.map(([name = "", ...rest], at) => {
    const branch = at === 0 ? (isLast ? "└─ " : "├─ ") : isLast ? "   " : "│  ";
    return [branch + name, ...rest];
  });
}

/** One line of at most 60 characters: what a command holds is for -o json. */
function toLine(words: readonly string[]): string {
  const line = words.map((word) => (/[\s"'\\]/.test(word) ? JSON.stringify(word) : word)).join(" ");
  const safe = line.replace(/\p{Cc}/gu, "�");
  return safe.length > 60 ? `${safe.slice(0, 59)}…` : safe;
}
