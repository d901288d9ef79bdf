import { Failure } from "@aurae/domain/errors";
import { toHostFailure } from "./host-failure.ts";
import { ChannelClosed, Refused } from "./shim/channel.ts";
import { toFailure } from "./shim/failures.ts";
import type { Supervisor } from "./shim/supervisor.ts";

/** The life of a cell on this machine; drawn above its class. */
export type EnclosureState = "live" | "failed" | "ending" | "ended";

/** What went wrong with a cell, as the domain knows failures. */
export function explain(what: string, cause: unknown, supervisor: Supervisor | undefined): Failure {
  if (cause instanceof Failure) return cause;
  if (cause instanceof Refused) return toFailure(what, cause.failed);
  if (cause instanceof ChannelClosed) {
    const why = supervisor?.isLost ? "supervisor lost" : describeSilence(cause.message);
    return new Failure("unavailable", "CELL_FAILED", `${what}: ${why}`, { cause });
  }
  return toHostFailure(what, cause);
}

/** Why nothing can be started in a cell. @param why it has failed, if it has */
export function notLive(what: string, cell: string, state: EnclosureState, why: string): Failure {
  const metadata = { cell };
  switch (state) {
    case "live":
      return new Failure("wrong-state", "CELL_STATE", `${what}: it is not whole`, { metadata });
    case "failed":
      return new Failure("wrong-state", "CELL_FAILED", `${what}: ${why}`, { metadata });
    case "ending":
    case "ended":
      return new Failure("wrong-state", "CELL_STATE", `${what}: the cell is ending`, { metadata });
    default:
      return state satisfies never;
  }
}

/** Why a cell has failed that somebody else has taken the cgroups of. */
export const cgroupsRemoved = "its cgroups were removed from outside";

/** Why a cell has failed whose supervisor is there, but cannot be spoken with. */
export function describeSilence(why: string): string {
  return `its supervisor does not answer: ${why}`;
}

/** Whether a supervisor refused something at that step. */
export function isRefused(cause: unknown, step: string): boolean {
  return cause instanceof Refused && cause.failed.step === step;
}
