import { createHash } from "node:crypto";
import { parseRequestId, type RequestMark, Violations } from "@aurae/domain/cells";
import {
  type DescMessage,
  type DescMethodUnary,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";

/**
 * The mark of a request with an id; undefined when it has none. Ids are of a method and an identity: who
 * guesses another's learns nothing.
 *
 * @throws Failure `invalid`
 */
export function readMark<Input extends DescMessage>(
  method: DescMethodUnary<Input>,
  request: MessageShape<Input> & { readonly requestId?: string | undefined },
  identity: string,
): RequestMark | undefined {
  if (request.requestId === undefined) return undefined;
  const violations = new Violations();
  const parsed = parseRequestId(request.requestId);
  const id = violations.take("request_id", "FIELD_INVALID", parsed);
  violations.throwIfAny(`take the request of ${method.name}`);
  return {
    key: hashOf([identity, method.name, id ?? ""]),
    digest: hashOf(inOrder(toJson(method.input, request))),
  };
}

/** 128 bits of SHA-256: nobody finds two requests with the same. */
function hashOf(value: JsonValue): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 32);
}

/** The entries of a map come in any order, and in another one when a program writes them again. */
function inOrder(value: JsonValue): JsonValue {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(inOrder);
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return entries.flatMap(([key, item]) => [key, inOrder(item)]);
}
