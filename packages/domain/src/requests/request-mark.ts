import { Failure } from "../errors.ts";
import type { Wrong } from "../violations.ts";

/** A request that its caller has named, so that a repeat of it is answered instead of done. */
export interface RequestMark {
  /** 32 hex digits, of caller, method and request id: who sends the same again repeats the request. */
  readonly key: string;
  /** 32 hex digits, of all that was asked for. */
  readonly digest: string;
}

/** A request id as it is written: 1–64 of A–Z, a–z, 0–9, ".", "_" and "-". */
export function parseRequestId(text: string): string | Wrong {
  if (/^[A-Za-z0-9._-]{1,64}$/.test(text)) return text;
  return { wrong: 'must be 1–64 letters, digits, ".", "_" and "-"' };
}

/** A repeat asks for the same. @throws Failure `invalid` */
export function requireSame(known: RequestMark, asked: RequestMark): void {
  if (known.digest === asked.digest) return;
  const description = "names another request, which was sent before";
  throw new Failure(
    "invalid",
    "REQUEST_ID_REUSED",
    `Cannot take the request: its request_id ${description}`,
    { violations: [{ field: "request_id", reason: "REQUEST_ID_REUSED", description }] },
  );
}
