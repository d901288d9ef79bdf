/** What kind of failure it is; `services/status.ts` of the daemon gives each its gRPC code. */
export type FailureKind =
  | "invalid"
  | "not-found"
  | "exists"
  | "wrong-state"
  | "exhausted"
  | "too-slow"
  | "unavailable"
  | "cancelled"
  | "host";

/** Why, in a word that never changes: part of the API (`ErrorInfo.reason`), listed in docs/reasons.md. */
export type FailureReason = (typeof failureReasons)[number];

/** Every {@link FailureReason}. */
export const failureReasons = [
  "FIELD_INVALID",
  "FIELD_REQUIRED",
  "CELL_NAME_INVALID",
  "LIMIT_OUT_OF_RANGE",
  "CELL_NOT_FOUND",
  "PARENT_CELL_NOT_FOUND",
  "EXECUTABLE_NOT_FOUND",
  "RUN_NOT_FOUND",
  "LOG_NOT_FOUND",
  "CELL_EXISTS",
  "EXECUTABLE_EXISTS",
  "EXECUTABLE_TREE_ALIVE",
  "CELL_STATE",
  "CELL_FAILED",
  "CGROUP_NOT_OWNED",
  "CONTROLLER_MISSING",
  "LIMIT_NOT_HELD",
  "SHIM_UNUSABLE",
  "COMMAND_NOT_FOUND",
  "COMMAND_NOT_EXECUTABLE",
  "WORKDIR_UNUSABLE",
  "ARGUMENTS_TOO_LONG",
  "REQUEST_ID_REUSED",
  "CELL_LIMIT_REACHED",
  "NODE_LIMIT_REACHED",
  "PROCESSES_UNINTERRUPTIBLE",
  "DAEMON_STOPPING",
  "CALLER_LEFT",
  "HOST_FAILED",
] as const;

/** One field that is wrong: `field` is its path in the proto, such as `cell.limits.pids_max`. */
export interface Violation {
  readonly field: string;
  readonly reason: FailureReason;
  /** A sentence without a full stop that says what would be right. */
  readonly description: string;
}

export interface FailureDetails {
  readonly cause?: unknown;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly Violation[];
}

/** The one error of the domain. Messages read "Cannot <action> <thing>: <what is the case>". */
export class Failure extends Error {
  readonly kind: FailureKind;
  readonly reason: FailureReason;
  /** Names that a program may want, in lowerCamel: `{ cell: "web", controller: "memory" }`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Only of kind `invalid`: everything that is wrong with the request. */
  readonly violations: readonly Violation[];

  constructor(
    kind: FailureKind,
    reason: FailureReason,
    message: string,
    details: FailureDetails = {},
  ) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.name = "Failure";
    this.kind = kind;
    this.reason = reason;
    this.metadata = details.metadata ?? {};
    this.violations = details.violations ?? [];
  }
}
