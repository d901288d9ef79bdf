import type { LogItem, LogOptions, LogSource, Node } from "@aurae/client";
import type { Command } from "commander";
import { parseDurationFlag, parseWhole, readGlobalFlags } from "../flags.ts";
import { writeLogItems } from "../log-item.ts";
import { UsageError } from "../report.ts";
import { openNode } from "../session.ts";

interface Flags {
  readonly pid?: number;
  readonly daemon?: boolean;
  readonly run?: number;
  readonly follow?: boolean;
  readonly since?: string;
  readonly tail?: number;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
}

export function define(command: Command): void {
  command
    .argument("[cell]", "the cell of the executable")
    .argument("[executable]", "whose latest run is shown")
    .usage("[options] <cell> <executable> | --pid <number> | --daemon")
    .option("--pid <number>", "of a process, instead of cell and executable", parseWhole(1))
    .option("--daemon", "what the daemon itself says")
    .option("--run <number>", "not the latest run, but this", parseWhole(1))
    .option("-f, --follow", "go on until it has ended")
    .option("--since <time>", "only what is newer than this, such as 10m", parseDurationFlag)
    .option("--tail <number>", "only so many lines, the newest", parseWhole(0))
    .option("--stdout", "only what was written to stdout")
    .option("--stderr", "only what was written to stderr")
    .addHelpText(
      "after",
      "\nWhat was written to stderr is written to stderr. Works after the end too.",
    )
    .action(logs);
}

async function logs(
  cell: string | undefined,
  executable: string | undefined,
  flags: Flags,
  command: Command,
): Promise<void> {
  const source = readSource(cell, executable, flags);
  await using node = await openNode(command);
  const isJson = readGlobalFlags(command).output === "json";
  await writeLogItems(follow(node, source, flags), isJson);
}

function follow(node: Node, source: LogSource | "daemon", flags: Flags): AsyncGenerator<LogItem> {
  const { follow = false, since, tail, stdout = false, stderr = false } = flags;
  const options: LogOptions = { follow, since, tail };
  if (source === "daemon") return node.daemonLogs(options);
  const stream = stdout === stderr ? undefined : stdout ? "stdout" : "stderr";
  return node.logs({ ...source, ...options, stream });
}

function readSource(
  cell: string | undefined,
  executable: string | undefined,
  { pid, daemon = false, run, stdout, stderr }: Flags,
): LogSource | "daemon" {
  const named = [cell !== undefined, pid !== undefined, daemon].filter(Boolean).length;
  if (named !== 1)
    throw new UsageError("Cannot choose a log: give a cell and an executable, --pid or --daemon");
  if (run !== undefined && cell === undefined)
    throw new UsageError("Cannot choose a run: --run needs a cell and an executable");
  if (daemon && (stdout ?? stderr) !== undefined)
    throw new UsageError("Cannot choose a stream: the daemon has one log only");
  if (daemon) return "daemon";
  if (pid !== undefined) return { pid };
  if (cell === undefined || executable === undefined) {
    throw new UsageError("Cannot choose a log: the name of the executable is missing");
  }
  return { cell, executable, ...(run !== undefined && { run: BigInt(run) }) };
}
