import type { AlternativeName } from "./alternative-name.ts";
import type { Authority } from "./authority.ts";
import { createKeyPair, toPrivateKeyPem } from "./key-pair.ts";
import { PkiError } from "./pki-error.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import { leafLifetimeMs, parseValidity, type Validity } from "./validity.ts";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  type ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "./x509.ts";

/** What every certificate of a server or client can be asked to differ in. */
export interface LeafOptions {
  /** In milliseconds, 1 s or more, and not beyond the authority's end. Default: {@link leafLifetimeMs}. */
  readonly lifetimeMs?: number | undefined;
  /** From when on the lifetime counts. Default: now. */
  readonly issuedAt?: Date | undefined;
}

/** A certificate with its key, as it goes into files or straight into TLS options. */
export interface IssuedCertificate extends Validity {
  readonly spiffeId: SpiffeId;
  readonly certificatePem: string;
  /** PKCS#8, not encrypted. */
  readonly privateKeyPem: string;
}

/** What tells a server's certificate from a client's. */
export interface Leaf {
  /** Names the program for people who look at the certificate. The identity is the SPIFFE ID. */
  readonly commonName: string;
  readonly spiffeId: SpiffeId;
  readonly alternativeNames: readonly AlternativeName[];
  readonly usages: readonly ExtendedKeyUsage[];
}

/**
 * Issue a certificate with a new P-256 key: no CA, digitalSignature only, one URI, the SPIFFE ID.
 * The serial number is 128 random bits (RFC 5280 §4.1.2.2 asks for unique, positive, at most 20 bytes).
 *
 * @throws {PkiError} when the lifetime is malformed or goes beyond the authority's.
 * @see https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md
 */
export async function issueLeaf(
  authority: Authority,
  leaf: Leaf,
  options: LeafOptions,
): Promise<IssuedCertificate> {
  const validity = parseValidity(
    options.lifetimeMs ?? leafLifetimeMs,
    options.issuedAt ?? new Date(),
  );
  if (validity.notAfter > authority.certificate.notAfter) {
    const end = authority.certificate.notAfter.toISOString();
    throw new PkiError(
      `Cannot issue a certificate for ${leaf.spiffeId}: its authority ends before it, at ${end}`,
    );
  }
  const keys = await createKeyPair();
  const certificate = await X509CertificateGenerator.create({
    ...validity,
    serialNumber: Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex"),
    subject: [{ CN: [leaf.commonName] }],
    issuer: authority.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([...leaf.usages]),
      new SubjectAlternativeNameExtension([
        { type: "url", value: leaf.spiffeId },
        ...leaf.alternativeNames,
      ]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
    ],
  });
  return {
    ...validity,
    spiffeId: leaf.spiffeId,
    certificatePem: `${certificate.toString("pem")}\n`,
    privateKeyPem: toPrivateKeyPem(keys.privateKey),
  };
}
