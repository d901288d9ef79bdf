import { randomInt } from "node:crypto";
import type { CellHandle, CellSpec, End, ExecutableSpec, Node } from "@aurae/client";
import type { Command } from "commander";
import { addExecutableFlags, type ExecutableFlags, readExecutable } from "../executable-flags.ts";
import { toEndExitCode } from "../exit-codes.ts";
import { parseDurationFlag, readGlobalFlags } from "../flags.ts";
import { Interrupts } from "../interrupts.ts";
import { addLimitFlags, type LimitFlags, readCellSpec } from "../limit-flags.ts";
import { writeLogItems } from "../log-item.ts";
import { dim, say, writeJsonLine } from "../output.ts";
import { Exit } from "../report.ts";
import { openNode } from "../session.ts";
import { describeEnd } from "../words.ts";

interface Flags extends LimitFlags, ExecutableFlags {
  readonly grace?: string;
}

/** One run: what it is, and how it is shown. */
interface Run {
  readonly cell: CellSpec;
  readonly executable: ExecutableSpec;
  readonly grace: string | undefined;
  readonly isJson: boolean;
}

export function define(command: Command): void {
  command
    .argument("[command...]", "the program and its arguments")
    .usage("[options] -- <command> [args...]")
    .option("--grace <time>", "between SIGTERM and SIGKILL (10s)", parseDurationFlag)
    .showHelpAfterError("Try: aer run --help; what the command itself takes stands after --");
  addExecutableFlags(addLimitFlags(command)).addHelpText("after", notes).action(run);
}

const notes = `
Shows what the command writes as it comes, exits as it did, and leaves nothing behind but its log, which
is kept for a while: what it has started is ended with it. Ctrl-C stops the command, a second Ctrl-C kills it. There is no stdin.

Example: aer run --memory 512M --cpus 1 -- python3 -c 'print(6*7)'`;

async function run(words: readonly string[], flags: Flags, command: Command): Promise<void> {
  const executable = readExecutable("main", words, flags);
  const cell = readCellSpec(createName(), flags);
  const isJson = readGlobalFlags(command).output === "json";
  using interrupts = new Interrupts();
  const end = await runToEnd({ cell, executable, grace: flags.grace, isJson }, command, interrupts);
  if (end === undefined) throw new Exit(interrupts.exitCode);

  if (isJson) await writeJsonLine({ type: "end", cell: cell.name, ...end });
  else if (end.reason === "signaled") say(`aer: ${describeEnd(end)}`);
  else if (process.stderr.isTTY && end.reason !== "oom") say(dim(describeEnd(end)));
  if (end.reason === "oom") say(`aer: ${describeEnd(end)}\nTry: a larger --memory`);
  if (end.reason === "lost") say("aer: the supervisor of the cell died, and the command with it");
  if (end.linesDropped > 0n) say(`aer: ${end.linesDropped} lines of output could not be kept`);
  throw new Exit(toEndExitCode(end));
}

/** Undefined when it was interrupted before anything ran. */
async function runToEnd(
  run: Run,
  command: Command,
  interrupts: Interrupts,
): Promise<End | undefined> {
  await using node = await openNode(command, interrupts.asked).catch((cause: unknown) => {
    if (interrupts.asked.aborted) return undefined;
    throw cause;
  });
  if (node === undefined || interrupts.asked.aborted) return undefined;
  const cell = await node.cells.allocate(run.cell);
  let copied: Promise<void> | undefined;
  try {
    if (interrupts.asked.aborted) return undefined;
    const started = await cell.start(run.executable);
    copied = copyOutput(node, cell, started.run, run.isJson, interrupts.forced);
    obey(interrupts, cell, run);
    const ended = cell.wait(run.executable.name, { run: started.run });
    // When nobody reads our output any more, the command is not worth its end.
    return await Promise.race([ended, copied.then(() => ended)]);
  } finally {
    await free(cell, run, interrupts);
    // Freed first: a child that holds the pipe holds the log open, and it ends with the cell.
    await copied;
  }
}

/** Who forces us to leave does not want to read the rest. */
async function copyOutput(
  node: Node,
  cell: CellHandle,
  run: bigint,
  isJson: boolean,
  forced: AbortSignal,
): Promise<void> {
  try {
    const lines = node.logs({ cell: cell.name, executable: "main", run, signal: forced });
    await writeLogItems(lines, isJson);
  } catch (cause) {
    if (!forced.aborted) throw cause;
  }
}

/** Stop the command when we are asked to leave; kill it when we are forced to. How it ended, wait() tells. */
function obey({ asked, forced }: Interrupts, cell: CellHandle, run: Run): void {
  const { name } = run.executable;
  function stop(grace: string | undefined): void {
    cell.stop(name, { grace }).catch(() => undefined);
  }
  if (asked.aborted) stop(run.grace);
  else asked.addEventListener("abort", () => stop(run.grace), { once: true });
  forced.addEventListener("abort", () => stop("0s"), { once: true });
}

/** What could not be freed is named, with the command that tries again; it changes no exit code. */
async function free(cell: CellHandle, run: Run, { forced }: Interrupts): Promise<void> {
  try {
    await cell.free({ grace: forced.aborted ? "0s" : run.grace });
  } catch (cause) {
    const { name } = cell;
    if (isUnavailable(cause)) {
      // Killing the daemon kills nothing: the next one has the cell, and how the command ended.
      say(`aer: the link to auraed is lost; the command goes on in cell ${name}`);
      return say(`Try: aer wait ${name} main, or aer cell free ${name}`);
    }
    const why = cause instanceof Error ? cause.message : String(cause);
    say(`aer: the cell ${name} may be left: ${why}\nTry: aer cell free ${name}`);
  }
}

/** By its name: the SDK is loaded when it is needed, not for the help. */
function isUnavailable(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "UNAVAILABLE";
}

function createName(): string {
  const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  const letters = Array.from({ length: 10 }, () => alphabet[randomInt(alphabet.length)]);
  return `run-${letters.join("")}`;
}
