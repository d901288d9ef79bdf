import type { Failure, FailureKind, FailureReason, Violation } from "@aurae/domain/errors";
import { status } from "@grpc/grpc-js";

/** Why, for what fails before the domain is asked; part of the API as the domain's reasons are. */
export type EdgeReason = (typeof edgeReasons)[number];

/** Every {@link EdgeReason}. */
export const edgeReasons = [
  "CERTIFICATE_EXPIRED",
  "CERTIFICATE_NOT_YET_VALID",
  "IDENTITY_MISSING",
  "IDENTITY_REFUSED",
  "MESSAGE_MALFORMED",
  "SERVICE_UNKNOWN",
  "DEADLINE_PASSED",
  "UNEXPECTED",
] as const;

/** How a call ended, as the wire tells it. */
export interface CallStatus {
  readonly code: status;
  readonly message: string;
  readonly reason: FailureReason | EdgeReason;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly Violation[];
}

/** What fails at the edge, where the domain was not asked. */
export class EdgeError extends Error {
  readonly status: CallStatus;

  constructor(status: CallStatus) {
    super(status.message);
    this.name = "EdgeError";
    this.status = status;
  }
}

/** The wire code of each failure. A new kind does not compile until it has one. */
const codes = {
  invalid: status.INVALID_ARGUMENT,
  "not-found": status.NOT_FOUND,
  exists: status.ALREADY_EXISTS,
  "wrong-state": status.FAILED_PRECONDITION,
  exhausted: status.RESOURCE_EXHAUSTED,
  "too-slow": status.DEADLINE_EXCEEDED,
  unavailable: status.UNAVAILABLE,
  cancelled: status.CANCELLED,
  host: status.INTERNAL,
} as const satisfies Record<FailureKind, status>;

/** The status of a failure of the domain. */
export function toStatus(failure: Failure): CallStatus {
  const { kind, reason, message, metadata } = failure;
  return { code: codes[kind], reason, message, metadata, violations: violationsOf(failure) };
}

/** Where the request was wrong, also when only the host could tell: then it names no field. */
function violationsOf({ reason, message, metadata, violations }: Failure): readonly Violation[] {
  if (violations.length > 0) return violations;
  if (reason === "ARGUMENTS_TOO_LONG")
    return [{ field: "executable.args", reason, description: message }];
  // setresuid(2) has refused the ids: they are not mapped in the cell.
  if (reason === "FIELD_INVALID" && metadata["step"] === "identity")
    return [{ field: "executable.uid", reason, description: message }];
  return [];
}

/** What a caller learns of an error that nobody expected: nothing of the inside. The log has it. */
export const unexpected: CallStatus = plain(
  status.INTERNAL,
  "UNEXPECTED",
  "Cannot answer: the daemon has met an unexpected error",
);

/** The daemon is about to end; another one may come. */
export const stopping: CallStatus = plain(
  status.UNAVAILABLE,
  "DAEMON_STOPPING",
  "Cannot serve: the daemon is stopping",
);

/** Nobody is there to read it; the log does. */
export const callerLeft: CallStatus = plain(
  status.CANCELLED,
  "CALLER_LEFT",
  "Cannot answer: the caller has left",
);

export const deadlinePassed: CallStatus = plain(
  status.DEADLINE_EXCEEDED,
  "DEADLINE_PASSED",
  "Cannot answer in time: the deadline has passed",
);

export const malformed: CallStatus = plain(
  status.INVALID_ARGUMENT,
  "MESSAGE_MALFORMED",
  "Cannot read the request: it is no valid message of its type",
);

/** Health was asked for a service that is not there. */
export function serviceUnknown(name: string): CallStatus {
  const what = `the health of ${JSON.stringify(name.slice(0, 255))}`;
  const message = `Cannot tell ${what}: there is no such service`;
  return plain(status.NOT_FOUND, "SERVICE_UNKNOWN", message);
}

/** The caller has no identity that counts now. */
export function unauthenticated(reason: EdgeReason, message: string): CallStatus {
  return plain(status.UNAUTHENTICATED, reason, message);
}

function plain(code: status, reason: CallStatus["reason"], message: string): CallStatus {
  return { code, reason, message, metadata: {}, violations: [] };
}
