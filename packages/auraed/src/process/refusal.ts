/** Exit codes of the daemon beside 0. */
export const exitCodes = { failed: 1, usage: 2 } as const;

/** Why the daemon does not start: one line for the person who started it. */
export class Refusal extends Error {
  readonly exitCode: number;

  constructor(
    message: string,
    {
      exitCode = exitCodes.failed,
      cause,
    }: { readonly exitCode?: number; readonly cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.name = "Refusal";
    this.exitCode = exitCode;
  }
}

/** A command line or configuration that cannot be meant. */
export function usageRefusal(message: string): Refusal {
  return new Refusal(message, { exitCode: exitCodes.usage });
}
