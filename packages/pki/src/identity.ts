import { createHash } from "node:crypto";
import { PkiError } from "./pki-error.ts";
import { defaultTrustDomain, parseSpiffeId, type SpiffeId, type TrustDomain } from "./spiffe-id.ts";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from "./x509.ts";

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
 * twice (§4.2). A SAN of a kind the library cannot express (otherName, x400, EDI) is malformed.
 *
 * @see https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md#5-validation
 */
export function readIdentity(
  der: Uint8Array,
  trustDomain: TrustDomain = defaultTrustDomain,
): Identity {
  let read: { readonly certificate: CertificateFacts; readonly extensions: Extensions };
  try {
    const parsed = new X509Certificate(new Uint8Array(der));
    read = { certificate: readFacts(parsed, der), extensions: readExtensions(parsed) };
  } catch (cause) {
    return {
      kind: "malformed",
      why: `Cannot parse certificate: ${cause instanceof Error ? cause.message : String(cause)}`,
    };
  }
  const { certificate, extensions } = read;
  const misuse = findMisuse(extensions);
  if (misuse !== undefined) return { kind: "refused", ...misuse, certificate };
  const [uri, ...more] = extensions.uris;
  if (uri === undefined) return { kind: "no-uri", certificate };
  if (more.length > 0)
    return {
      kind: "refused",
      ...refusal("many-uris", `it has ${more.length + 1} URIs`),
      certificate,
    };
  try {
    return { kind: "spiffe", spiffeId: parseSpiffeId(uri, trustDomain), certificate };
  } catch (cause) {
    if (!(cause instanceof PkiError)) throw cause;
    return { kind: "refused", reason: "bad-spiffe-id", why: cause.message, certificate };
  }
}

interface Extensions {
  readonly isAuthority: boolean;
  readonly keyUsage: number | undefined;
  readonly extendedKeyUsages: readonly string[] | undefined;
  readonly uris: readonly string[];
}

function readFacts(certificate: X509Certificate, der: Uint8Array): CertificateFacts {
  const commonNames = certificate.subjectName.getField("CN");
  return {
    commonName: commonNames.length === 1 ? commonNames[0] : undefined,
    serial: certificate.serialNumber,
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    fingerprint: createHash("sha256").update(der).digest("hex"),
  };
}

function readExtensions(certificate: X509Certificate): Extensions {
  const types = certificate.extensions.map((extension) => extension.type);
  if (new Set(types).size < types.length) throw new Error("it has the same extension twice");
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [];
  return {
    isAuthority: certificate.getExtension(BasicConstraintsExtension)?.ca ?? false,
    keyUsage: certificate.getExtension(KeyUsagesExtension)?.usages,
    extendedKeyUsages: certificate.getExtension(ExtendedKeyUsageExtension)?.usages.map(String),
    uris: names.filter((name) => name.type === "url").map((name) => name.value),
  };
}

function findMisuse(
  extensions: Extensions,
): { readonly reason: IdentityRefusal; readonly why: string } | undefined {
  const { keyUsage, extendedKeyUsages } = extensions;
  if (extensions.isAuthority) return refusal("ca", "it is an authority's");
  if (keyUsage !== undefined) {
    const signsOthers = keyUsage & (KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign);
    if (signsOthers !== 0)
      return refusal("key-usage", "its key may sign certificates or revocation lists");
    if ((keyUsage & KeyUsageFlags.digitalSignature) === 0)
      return refusal("key-usage", "its key may not sign");
  }
  if (extendedKeyUsages !== undefined && !extendedKeyUsages.includes(ExtendedKeyUsage.clientAuth)) {
    return refusal("extended-key-usage", "it is not for clients");
  }
  return undefined;
}

function refusal(
  reason: IdentityRefusal,
  what: string,
): { readonly reason: IdentityRefusal; readonly why: string } {
  return { reason, why: `Cannot take identity from certificate: ${what}` };
}
