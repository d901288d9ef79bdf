/** Why a call failed, as gRPC says it: the names of its status codes. */
export type AuraeCode =
  | "CANCELLED"
  | "UNKNOWN"
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

/** One field that is wrong: `field` is its path in the request, such as `cell.limits.pids_max`. */
export interface Violation {
  readonly field: string;
  readonly description: string;
  readonly reason: string;
}

/** What an error says beside its code and message. */
export interface ErrorDetails {
  /** Why, in a word that never changes, such as `CELL_NOT_FOUND`. Empty when nobody said. */
  readonly reason?: string;
  /** Who defined the reason: `aurae.io` for the daemon, {@link clientDomain} for this library. */
  readonly domain?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly Violation[];
  /** What to do next, for a person. */
  readonly help?: string;
  readonly cause?: unknown;
}

/** The domain of the reasons that this library gives. */
export const clientDomain = "client.aurae.io";

/** Where an error holds the kinds that it is of: two copies of this package know each other by it. */
const kinds = Symbol.for("@aurae/client/error-kinds");

/**
 * Every failure that this library throws, but for an aborted signal: that throws the signal's reason.
 *
 * The subclasses below are told apart with `instanceof`, also across copies of this package.
 */
export class AuraeError extends Error {
  /** The name of the class, in every copy of this package. */
  static readonly kind: string = "AuraeError";

  readonly code: AuraeCode;
  readonly reason: string;
  readonly domain: string;
  /** Names that a program may want, in lowerCamel: `{ cell: "web" }`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Of `Invalid`: everything that is wrong with the request. */
  readonly violations: readonly Violation[];
  readonly help: string | undefined;

  constructor(code: AuraeCode, message: string, details: ErrorDetails = {}) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.name = new.target.kind;
    Object.defineProperty(this, kinds, { value: [AuraeError.kind, new.target.kind] });
    this.code = code;
    this.reason = details.reason ?? "";
    this.domain = details.domain ?? "";
    this.metadata = details.metadata ?? {};
    this.violations = details.violations ?? [];
    this.help = details.help;
  }

  /** Whether the same call may succeed later, with nothing changed. */
  get retryable(): boolean {
    return ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED"].includes(this.code);
  }
}

Object.defineProperty(AuraeError, Symbol.hasInstance, { value: hasInstance });

/** There is no cell, executable, run or log of that name. */
export class NotFound extends AuraeError {
  static override readonly kind: string = "NotFound";
}

/** The name is taken. */
export class Exists extends AuraeError {
  static override readonly kind: string = "Exists";
}

/** The daemon does not know this client, the client does not trust this daemon, or it may not do this. */
export class Denied extends AuraeError {
  static override readonly kind: string = "Denied";
}

/** The request, an option or the configuration is malformed; nothing was done. */
export class Invalid extends AuraeError {
  static override readonly kind: string = "Invalid";
}

/** A limit of the cell or of the node leaves no room. */
export class Limit extends AuraeError {
  static override readonly kind: string = "Limit";
}

/** The time that the caller gave was over first. What the call does may still happen. */
export class Timeout extends AuraeError {
  static override readonly kind: string = "Timeout";
}

/** The daemon cannot be reached, or is about to stop. */
export class Unavailable extends AuraeError {
  static override readonly kind: string = "Unavailable";
}

/** Make the error whose class fits the code. */
export function createError(code: AuraeCode, message: string, details: ErrorDetails): AuraeError {
  return new (classes[code] ?? AuraeError)(code, message, details);
}

const classes: { readonly [code in AuraeCode]?: typeof AuraeError } = {
  NOT_FOUND: NotFound,
  ALREADY_EXISTS: Exists,
  PERMISSION_DENIED: Denied,
  UNAUTHENTICATED: Denied,
  INVALID_ARGUMENT: Invalid,
  OUT_OF_RANGE: Invalid,
  RESOURCE_EXHAUSTED: Limit,
  DEADLINE_EXCEEDED: Timeout,
  UNAVAILABLE: Unavailable,
};

function hasInstance(this: typeof AuraeError, value: unknown): boolean {
  // A class that a user derived from one of ours has no kind of its own, and is an ordinary class.
  if (!Object.hasOwn(this, "kind")) return Function.prototype[Symbol.hasInstance].call(this, value);
  if (typeof value !== "object" || value === null || !(kinds in value)) return false;
  return Array.isArray(value[kinds]) && value[kinds].includes(this.kind);
}
