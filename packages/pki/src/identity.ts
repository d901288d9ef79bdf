import { X509Certificate } from "node:crypto";
import { type LeafExtensions, readLeafExtensions } from "./leaf-extensions.ts";
import { PkiError } from "./pki-error.ts";
import { defaultTrustDomain, parseSpiffeId, type SpiffeId, type TrustDomain } from "./spiffe-id.ts";

/** What a certificate says besides its identity; for logs, and never for a decision but the common name where configuration maps it. */
export interface CertificateFacts {
  /** The subject's common name; undefined when it has none, or more than one. */
  readonly commonName: string | undefined;
  /** In lower-case hex. */
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SHA-256 of the whole certificate, in lower-case hex. */
  readonly fingerprint: string;
}

/** Why a certificate that could be read is no identity. */
export type IdentityRefusal =
  | "ca"
  | "key-usage"
  | "extended-key-usage"
  | "many-uris"
  | "bad-spiffe-id";

/**
 * Who a certificate says its owner is.
 *
 * `no-uri` passed every check but has no URI: it counts only where configuration maps its common
 * name. `refused` and `malformed` count for nothing, whatever is configured. `why` is one line for
 * the log.
 */
export type Identity =
  | { readonly kind: "spiffe"; readonly spiffeId: SpiffeId; readonly certificate: CertificateFacts }
  | { readonly kind: "no-uri"; readonly certificate: CertificateFacts }
  | {
      readonly kind: "refused";
      readonly reason: IdentityRefusal;
      readonly why: string;
      readonly certificate: CertificateFacts;
    }
  | { readonly kind: "malformed"; readonly why: string };

/**
 * Read the identity of a client from its certificate in DER, such as `raw` of node:crypto's.
 *
 * Never throws, whatever the bytes. The chain, the signature and the time are TLS's to check: this
 * is for a certificate that TLS has accepted. The names are read from the DER, never from text in
 * which one name with a comma looks like two. Everything about a leaf is checked before its names:
 * no CA, no right to sign certificates (X509-SVID §4.3, §5.2), digitalSignature where key usage is
 * stated (RFC 5280 §4.2.1.3), clientAuth where extended key usage is (§4.2.1.12), no extension
 * twice (§4.2).
 *
 * It reads by itself, for the library that issues certificates costs 16 MB and 2 ms each, and
 * accepts what is not DER.
 *
 * @see https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md#5-validation
 */
export function readIdentity(
  der: Uint8Array,
  trustDomain: TrustDomain = defaultTrustDomain,
): Identity {
  let read: { readonly certificate: CertificateFacts; readonly extensions: LeafExtensions };
  try {
    read = { extensions: readLeafExtensions(der), certificate: readFacts(der) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return { kind: "malformed", why: `Cannot parse certificate: ${why}` };
  }
  const { certificate, extensions } = read;
  const misuse = findMisuse(extensions);
  if (misuse !== undefined) return { kind: "refused", ...misuse, certificate };
  const [uri] = extensions.uris;
  if (uri === undefined) return { kind: "no-uri", certificate };
  try {
    return { kind: "spiffe", spiffeId: parseSpiffeId(uri, trustDomain), certificate };
  } catch (cause) {
    if (!(cause instanceof PkiError)) throw cause;
    return { kind: "refused", reason: "bad-spiffe-id", why: cause.message, certificate };
  }
}

function readFacts(der: Uint8Array): CertificateFacts {
  const certificate = new X509Certificate(der);
  // One common name is a string here, several are a list.
  const commonName: unknown = certificate.toLegacyObject().subject?.CN;
  return {
    commonName: typeof commonName === "string" ? commonName : undefined,
    serial: certificate.serialNumber.toLowerCase(),
    notBefore: certificate.validFromDate,
    notAfter: certificate.validToDate,
    fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}

interface Misuse {
  readonly reason: IdentityRefusal;
  readonly why: string;
}

function findMisuse({
  isAuthority,
  keyUsage,
  isForClients,
  uris,
}: LeafExtensions): Misuse | undefined {
  if (isAuthority) return misuse("ca", "it is an authority's");
  if (keyUsage?.mayIssue)
    return misuse("key-usage", "its key may sign certificates or revocation lists");
  if (keyUsage?.mayDigitallySign === false) return misuse("key-usage", "its key may not sign");
  if (isForClients === false) return misuse("extended-key-usage", "it is not for clients");
  if (uris.length > 1) return misuse("many-uris", `it has ${uris.length} URIs`);
  return undefined;
}

function misuse(reason: IdentityRefusal, what: string): Misuse {
  return { reason, why: `Cannot take identity from certificate: ${what}` };
}
