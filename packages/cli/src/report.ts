import type { AuraeError } from "@aurae/client";
import { CommanderError } from "commander";
import { exitCodes, toExitCode, toRunExitCode } from "./exit-codes.ts";
import { say } from "./output.ts";

/** A mistake in how aer was called that commander does not know of. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** An end that has been told to the user already, or needs no words. */
export class Exit extends Error {
  override readonly name = "Exit";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** How aer was called: what the words about a failure depend on. */
export interface Called {
  /** Noun and verb. */
  readonly command: string;
  /** What stood on the command line that is no flag. */
  readonly operands: readonly string[];
  readonly isDebug: boolean;
}

/** Say on stderr what failed, why and what to do next; return the exit code. */
export async function report(cause: unknown, called: Called): Promise<number> {
  const { command, operands, isDebug } = called;
  const told = findTold(cause);
  if (told !== undefined) return told;

  if (isDebug) say(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
  else say(`aer: ${firstLine(cause)}`);
  if (cause instanceof UsageError) {
    say(`Try: aer ${command} --help`);
    return exitCodes.usage;
  }
  const isRun = command === "run" || command === "wait";
  const { AuraeError } = await import("@aurae/client");
  if (!(cause instanceof AuraeError)) return isRun ? exitCodes.ownFailure : exitCodes.failure;
  sayMore(cause, operands);
  return isRun ? toRunExitCode(cause) : toExitCode(cause);
}

function sayMore(error: AuraeError, operands: readonly string[]): void {
  for (const { field, description } of error.violations) {
    // A single one is in the message already.
    if (!error.message.includes(description)) say(`  ${field}: ${description}`);
  }
  const next = findNext(error, operands);
  if (next !== undefined) say(`Try: ${next}`);
}

/** The exit code of what needs no more words. */
function findTold(cause: unknown): number | undefined {
  if (cause instanceof Exit) return cause.exitCode;
  if (isBrokenPipe(cause)) return exitCodes.brokenPipe;
  if (!(cause instanceof CommanderError)) return undefined;
  // Commander has told it already. Its help, asked for, is no failure.
  return cause.exitCode === 0 ? exitCodes.success : exitCodes.usage;
}

/** The command that helps, by the reason: what a person would be told by one who knows. */
function findNext(
  { reason, metadata, help }: AuraeError,
  operands: readonly string[],
): string | undefined {
  const cell = metadata["cell"] ?? operands[0] ?? "CELL";
  const executable = metadata["executable"] ?? operands[1] ?? "EXECUTABLE";
  const commands: Readonly<Record<string, string>> = {
    DAEMON_UNREACHABLE: "systemctl status auraed, or --socket with where it listens",
    DAEMON_SILENT: "systemctl status auraed",
    NO_TLS: "--socket with where auraed listens",
    SERVER_NOT_TRUSTED: "--ca-crt with the CA of that daemon, or --server-name with its name",
    CERTIFICATE_REFUSED: "--client-crt and --client-key signed by the CA of that daemon",
    CERTIFICATE_EXPIRED: "aer pki init DIR, for new certificates",
    CERTIFICATE_MISSING: "aer pki init DIR, or --ca-crt, --client-crt and --client-key",
    CERTIFICATE_UNREADABLE: "sudo, or certificates that this user may read",
    CERTIFICATE_INVALID: "aer pki init DIR, for new certificates",
    CELL_NOT_FOUND: "aer cell list",
    PARENT_CELL_NOT_FOUND: `aer cell allocate ${metadata["parent"] ?? "PARENT"}`,
    CELL_EXISTS: `aer cell free ${cell}, or another name`,
    CELL_FAILED: `aer cell free ${cell}`,
    EXECUTABLE_EXISTS: `aer cell stop ${cell} ${executable}, or another name`,
    EXECUTABLE_TREE_ALIVE: `aer cell stop ${cell} ${executable}`,
    EXECUTABLE_NOT_FOUND: `aer cell list ${cell}`,
    RUN_NOT_FOUND: `aer cell list ${cell}`,
    LOG_NOT_FOUND: `aer cell list ${cell}`,
    COMMAND_NOT_FOUND: "the full path of the program, or --env PATH=…",
    COMMAND_NOT_EXECUTABLE: "chmod +x, or an interpreter before it",
  };
  return help ?? commands[reason];
}

function firstLine(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.split("\n", 1)[0] ?? "";
}

function isBrokenPipe(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "EPIPE";
}
