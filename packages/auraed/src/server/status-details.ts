import { BadRequestSchema, ErrorInfoSchema } from "@aurae/api/error-details";
import { StatusSchema } from "@aurae/api/status";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Metadata, type ServiceError, type status } from "@grpc/grpc-js";
import type { CallStatus } from "../services/status.ts";

const domain = "aurae.io";

/**
 * What fits into the header list of every client, 8 KiB by default with gRPC's C core: the message as
 * `grpc-message` has it (percent-encoded), and the details, which grow by a third in base64.
 */
const maxMessageBytes = 1536;
const maxDetailsBytes = 4400;
const maxTextLength = 256;
/** Of the values of the metadata together, percent-encoded. */
const maxMetadataBytes = 1024;

/** A status as grpc-js sends it. */
export interface WireStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** A status with google.rpc.Status in `grpc-status-details-bin`: the reason, and what was wrong. */
export function toWireStatus(given: CallStatus): WireStatus {
  const { code, reason } = given;
  const message = cut(given.message, maxMessageBytes);
  const info = create(ErrorInfoSchema, { reason, domain, metadata: shorten(given.metadata) });
  const details = [anyPack(ErrorInfoSchema, info)];
  if (given.violations.length > 0) {
    const used = toBinary(StatusSchema, create(StatusSchema, { code, message, details })).length;
    const fieldViolations = fitting(given.violations, maxDetailsBytes - used);
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

/** The values shortened, so that one that is long leaves room for the others. */
function shorten(metadata: CallStatus["metadata"]): Record<string, string> {
  const entries = Object.entries(metadata);
  const each = Math.min(maxTextLength, Math.floor(maxMetadataBytes / Math.max(1, entries.length)));
  return Object.fromEntries(entries.map(([key, value]) => [key, cut(value, each)]));
}

/** What a violation takes beside its texts, and the list of them as a whole. */
const violationOverhead = 16;
const listOverhead = 64;

/** As many violations as fit into so many bytes, in order. */
function fitting(
  violations: CallStatus["violations"],
  maxBytes: number,
): { readonly field: string; readonly reason: string; readonly description: string }[] {
  let bytes = listOverhead;
  return violations
    .map(({ field, reason, description }) => ({
      field: cut(field, maxTextLength),
      reason,
      description: cut(description, maxTextLength),
    }))
    .filter(({ field, reason, description }) => {
      bytes += Buffer.byteLength(field + reason + description) + violationOverhead;
      return bytes <= maxBytes;
    });
}

/**
 * Shortened until it fits in its percent-encoded form, which is never shorter than its UTF-8, and
 * without half of a character: encodeURI, which grpc-js uses, would throw.
 */
function cut(text: string, maxBytes: number): string {
  const whole = text.slice(0, maxBytes).toWellFormed();
  if (whole.length === text.length && encodeURI(whole).length <= maxBytes) return whole;
  let left = maxBytes - encodeURI("…").length;
  let kept = "";
  for (const character of whole) {
    left -= encodeURI(character).length;
    if (left < 0) break;
    kept += character;
  }
  return `${kept}…`;
}
