import { PkiError, quote } from "./pki-error.ts";

declare const spiffeId: unique symbol;
declare const trustDomain: unique symbol;

/** A SPIFFE ID with a path, such as `spiffe://aurae.local/aer/client`. Only {@link parseSpiffeId} makes one. */
export type SpiffeId = string & { readonly [spiffeId]: true };

/** The name of a trust domain, such as `aurae.local`. Only {@link parseTrustDomain} makes one. */
export type TrustDomain = string & { readonly [trustDomain]: true };

const scheme = "spiffe://";
/** SPIFFE-ID §2.3: longer ones need not be supported, and are not. */
const idMaxBytes = 2048;
const trustDomainMaxBytes = 255;

/** The trust domain of certificates when none is named. */
export const defaultTrustDomain: TrustDomain = parseTrustDomain("aurae.local");

/**
 * Check the name of a trust domain: 1 to 255 of `a-z 0-9 . - _`. It refuses and never repairs, so
 * upper case is an error.
 *
 * @throws {PkiError} that says what is wrong with it.
 * @see https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md#21-trust-domain
 */
export function parseTrustDomain(text: string): TrustDomain {
  const why = findTrustDomainFault(text);
  if (why !== undefined) throw new PkiError(`Cannot parse trust domain ${quote(text)}: ${why}`);
  return text as TrustDomain;
}

/**
 * Check the SPIFFE ID of a workload: in this trust domain, with a path of segments made of
 * `A-Z a-z 0-9 . - _`, and at most 2048 bytes in all. It refuses and never repairs, for two
 * spellings of one ID would be two names in a policy: no percent encoding, no `.` and `..`, no
 * empty segment, no upper case in scheme and trust domain, no port, query or fragment.
 *
 * @throws {PkiError} that says what is wrong with it.
 * @see https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md#2-spiffe-identity
 */
export function parseSpiffeId(text: string, domain: TrustDomain = defaultTrustDomain): SpiffeId {
  const why = findSpiffeIdFault(text, domain);
  if (why !== undefined) throw new PkiError(`Cannot parse SPIFFE ID ${quote(text)}: ${why}`);
  return text as SpiffeId;
}

function findSpiffeIdFault(text: string, domain: TrustDomain): string | undefined {
  if (Buffer.byteLength(text) > idMaxBytes) return `it is longer than ${idMaxBytes} bytes`;
  if (!text.startsWith(scheme)) return `it does not begin with ${scheme}`;
  const [authority = "", ...segments] = text.slice(scheme.length).split("/");
  const why = findTrustDomainFault(authority);
  if (why !== undefined) return `its trust domain ${why.replace(/^it /, "")}`;
  if (authority !== domain) return `its trust domain is not ${domain}`;
  if (segments.length === 0 || (segments.length === 1 && segments[0] === ""))
    return "its path is empty";
  return segments.map(findSegmentFault).find((fault) => fault !== undefined);
}

function findTrustDomainFault(text: string): string | undefined {
  if (text === "") return "it is empty";
  if (!/^[a-z0-9._-]*$/.test(text)) return "it has a character other than a-z 0-9 . - _";
  if (text.length > trustDomainMaxBytes) return `it is longer than ${trustDomainMaxBytes} bytes`;
  return undefined;
}

function findSegmentFault(segment: string): string | undefined {
  if (segment === "") return "its path has an empty segment";
  if (segment === "." || segment === "..") return `its path has the segment ${segment}`;
  if (!/^[A-Za-z0-9._-]*$/.test(segment))
    return "its path has a character other than A-Z a-z 0-9 . - _";
  return undefined;
}
