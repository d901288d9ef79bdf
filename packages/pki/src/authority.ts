import type { webcrypto } from "node:crypto";
import { createKeyPair, toPrivateKeyPem } from "./key-pair.ts";
import { defaultTrustDomain, parseTrustDomain, type TrustDomain } from "./spiffe-id.ts";
import { authorityLifetimeMs, parseValidity } from "./validity.ts";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "./x509.ts";

/** What an authority can be asked to differ in. */
export interface AuthorityOptions {
  /** Its certificates name identities of this trust domain only. Default: `aurae.local`. */
  readonly trustDomain?: string | undefined;
  /** In milliseconds, 1 s to 3650 days. Default: {@link authorityLifetimeMs}. */
  readonly lifetimeMs?: number | undefined;
  /** From when on the lifetime counts. Default: now. */
  readonly issuedAt?: Date | undefined;
}

/** A certificate authority of one trust domain, with the key to issue certificates. */
export interface Authority {
  readonly trustDomain: TrustDomain;
  readonly certificate: X509Certificate;
  readonly key: webcrypto.CryptoKey;
  readonly certificatePem: string;
  /** PKCS#8, not encrypted. */
  readonly privateKeyPem: string;
}

/**
 * Make a self-signed authority with a new P-256 key. It issues leaves only (pathLen 0), and signs
 * nothing but certificates and revocation lists.
 *
 * Its subject ends with a part of its key's identifier, so that an old and a new authority in one
 * file are never mistaken for each other. Its URI is the trust domain, without a path, as X509-SVID
 * §4.1 wants of a signing certificate: so it is no identity.
 *
 * @throws {PkiError} when the trust domain or the lifetime is malformed.
 * @see https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.9 basicConstraints
 * @see https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md
 */
export async function createAuthority(options: AuthorityOptions = {}): Promise<Authority> {
  const trustDomain = parseTrustDomain(options.trustDomain ?? defaultTrustDomain);
  const validity = parseValidity(
    options.lifetimeMs ?? authorityLifetimeMs,
    options.issuedAt ?? new Date(),
  );
  const keys = await createKeyPair();
  const keyIdentifier = await SubjectKeyIdentifierExtension.create(keys.publicKey);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: [{ CN: [`Aurae CA ${keyIdentifier.keyId.slice(0, 16)}`] }],
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${trustDomain}` }]),
      keyIdentifier,
    ],
  });
  return {
    trustDomain,
    certificate,
    key: keys.privateKey,
    certificatePem: `${certificate.toString("pem")}\n`,
    privateKeyPem: toPrivateKeyPem(keys.privateKey),
  };
}
