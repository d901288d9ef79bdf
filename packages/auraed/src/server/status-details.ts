import { BadRequestSchema, ErrorInfoSchema } from "@aurae/api/error-details";
import { StatusSchema } from "@aurae/api/status";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Metadata, type ServiceError, type status } from "@grpc/grpc-js";
import type { CallStatus } from "../services/status.ts";

const domain = "aurae.io";

/** What fits into the header list of every client, 8 KiB by default with gRPC's C core. */
const maxMessageLength = 1024;
const maxViolationsBytes = 3072;
const maxTextLength = 256;

/** A status as grpc-js sends it. */
export interface WireStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** A status with google.rpc.Status in `grpc-status-details-bin`: the reason, and what was wrong. */
export function toWireStatus(given: CallStatus): WireStatus {
  const { code, reason } = given;
  const message = cut(given.message, maxMessageLength);
  const info = create(ErrorInfoSchema, { reason, domain, metadata: { ...given.metadata } });
  const details = [anyPack(ErrorInfoSchema, info)];
  if (given.violations.length > 0) {
    const fieldViolations = fitting(given.violations);
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations })));
  }
  const bytes = toBinary(StatusSchema, create(StatusSchema, { code, message, details }));
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(bytes));
  return { code, details: message, metadata };
}

/** The same as an error, for callbacks and streams of grpc-js. */
export function toServiceError(given: CallStatus): ServiceError {
  return Object.assign(new Error(given.message), toWireStatus(given));
}

/** As many violations as fit into a header, in order. */
function fitting(
  violations: CallStatus["violations"],
): { readonly field: string; readonly reason: string; readonly description: string }[] {
  let bytes = 0;
  return violations
    .map(({ field, reason, description }) => ({
      field: cut(field, maxTextLength),
      reason,
      description: cut(description, maxTextLength),
    }))
    .filter(({ field, reason, description }) => {
      bytes += Buffer.byteLength(field + reason + description) + 8;
      return bytes <= maxViolationsBytes;
    });
}

/** Shortened, and without half of a character: encodeURI, which grpc-js uses, would throw. */
function cut(text: string, maxLength: number): string {
  const short = text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
  return short.toWellFormed();
}
