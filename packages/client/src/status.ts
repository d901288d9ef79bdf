import { BadRequestSchema, ErrorInfoSchema } from "@aurae/api/error-details";
import { StatusSchema } from "@aurae/api/status";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { type ServiceError, status } from "@grpc/grpc-js";
import { type AuraeCode, type AuraeError, createError, type ErrorDetails } from "./errors.ts";

/** Where a status travels with its details. */
const detailsKey = "grpc-status-details-bin";

/** Turn what grpc-js throws into the errors of this library, with what the daemon said in detail. */
export function toAuraeError(cause: unknown): AuraeError {
  if (!isServiceError(cause)) {
    return createError("UNKNOWN", `Cannot finish the call: ${String(cause)}`, { cause });
  }
  const code = codes[cause.code] ?? "UNKNOWN";
  return createError(code, cause.details, { ...readDetails(cause), cause });
}

/** Details that cannot be read are left out: the code and the message are still true. */
function readDetails(error: ServiceError): ErrorDetails {
  const [bytes] = error.metadata.get(detailsKey);
  if (!Buffer.isBuffer(bytes)) return {};
  try {
    const { details } = fromBinary(StatusSchema, bytes);
    const info = details.map((any) => anyUnpack(any, ErrorInfoSchema)).find(isPresent);
    const bad = details.map((any) => anyUnpack(any, BadRequestSchema)).filter(isPresent);
    return {
      ...(info && { reason: info.reason, domain: info.domain, metadata: info.metadata }),
      violations: bad.flatMap(({ fieldViolations }) =>
        fieldViolations.map(({ field, description, reason }) => ({ field, description, reason })),
      ),
    };
  } catch {
    return {};
  }
}

const codes: Readonly<Record<number, AuraeCode>> = {
  [status.CANCELLED]: "CANCELLED",
  [status.INVALID_ARGUMENT]: "INVALID_ARGUMENT",
  [status.DEADLINE_EXCEEDED]: "DEADLINE_EXCEEDED",
  [status.NOT_FOUND]: "NOT_FOUND",
  [status.ALREADY_EXISTS]: "ALREADY_EXISTS",
  [status.PERMISSION_DENIED]: "PERMISSION_DENIED",
  [status.RESOURCE_EXHAUSTED]: "RESOURCE_EXHAUSTED",
  [status.FAILED_PRECONDITION]: "FAILED_PRECONDITION",
  [status.ABORTED]: "ABORTED",
  [status.OUT_OF_RANGE]: "OUT_OF_RANGE",
  [status.UNIMPLEMENTED]: "UNIMPLEMENTED",
  [status.INTERNAL]: "INTERNAL",
  [status.UNAVAILABLE]: "UNAVAILABLE",
  [status.DATA_LOSS]: "DATA_LOSS",
  [status.UNAUTHENTICATED]: "UNAUTHENTICATED",
};

function isServiceError(cause: unknown): cause is ServiceError {
  return cause instanceof Error && "code" in cause && "details" in cause && "metadata" in cause;
}

function isPresent<T>(value: T | undefined): value is T {
  return value !== undefined;
}
