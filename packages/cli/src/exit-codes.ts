import type { AuraeCode, AuraeError, End } from "@aurae/client";

/** What the exit codes of aer mean. They are API: scripts branch on them. */
export const exitCodes = {
  success: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  conflict: 5,
  unavailable: 69,
  tryAgain: 75,
  /** Of `run` and `wait`, beside the command's own. */
  timeout: 124,
  ownFailure: 125,
  notExecutable: 126,
  commandNotFound: 127,
  /** The reader of our output has gone: 128 + SIGPIPE. */
  brokenPipe: 141,
} as const;

/** 128 + SIGKILL: what a shell says of a process that the kernel killed. */
const oomExitCode = 137;

/** The exit code of a call that failed. */
export function toExitCode({ code }: AuraeError): number {
  return codes[code] ?? exitCodes.failure;
}

const codes: { readonly [code in AuraeCode]?: number } = {
  INVALID_ARGUMENT: exitCodes.usage,
  OUT_OF_RANGE: exitCodes.usage,
  NOT_FOUND: exitCodes.notFound,
  PERMISSION_DENIED: exitCodes.denied,
  UNAUTHENTICATED: exitCodes.denied,
  ALREADY_EXISTS: exitCodes.conflict,
  FAILED_PRECONDITION: exitCodes.conflict,
  UNAVAILABLE: exitCodes.unavailable,
  RESOURCE_EXHAUSTED: exitCodes.tryAgain,
  DEADLINE_EXCEEDED: exitCodes.tryAgain,
  ABORTED: exitCodes.tryAgain,
};

/** The exit code of a call of `run` or `wait` that failed, so that it is told from the command's own. */
export function toRunExitCode({ reason }: AuraeError): number {
  if (reason === "COMMAND_NOT_FOUND") return exitCodes.commandNotFound;
  if (reason === "COMMAND_NOT_EXECUTABLE") return exitCodes.notExecutable;
  return exitCodes.ownFailure;
}

/** The exit code that tells how a run ended, as a shell would. */
export function toEndExitCode(end: End): number {
  if (end.reason === "oom") return oomExitCode;
  if (end.reason === "timeout") return exitCodes.timeout;
  if (end.signalNumber !== undefined) return 128 + end.signalNumber;
  return end.exitCode ?? exitCodes.ownFailure;
}
