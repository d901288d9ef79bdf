import type { Authority } from "./authority.ts";
import { createKeyPair, toPrivateKeyPem } from "./key-pair.ts";
import {
  BasicConstraintsExtension,
  type ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "./x509.ts";

/** A certificate as no careful authority would issue it. What is left out is not in it. */
export interface OddCertificate {
  readonly subject?: readonly Record<string, string[]>[];
  readonly names?: JsonGeneralNames;
  readonly isAuthority?: boolean;
  readonly keyUsage?: number;
  readonly extendedKeyUsages?: readonly ExtendedKeyUsage[];
  readonly further?: readonly Extension[];
}

/** An odd certificate with its key, signed all the same. */
export interface IssuedOddCertificate {
  readonly der: Uint8Array;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** Issue a certificate that says just what a test wants it to say, valid for an hour. */
export async function issueOddCertificate(
  authority: Authority,
  odd: OddCertificate,
): Promise<IssuedOddCertificate> {
  const keys = await createKeyPair();
  const certificate = await X509CertificateGenerator.create({
    notBefore: new Date(),
    notAfter: new Date(Date.now() + 60 * 60 * 1000),
    subject: [...(odd.subject ?? [])],
    issuer: authority.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    extensions: [...toExtensions(odd)],
  });
  return {
    der: new Uint8Array(certificate.rawData),
    certificatePem: `${certificate.toString("pem")}\n`,
    privateKeyPem: toPrivateKeyPem(keys.privateKey),
  };
}

function toExtensions(odd: OddCertificate): readonly Extension[] {
  const extensions: Extension[] = [];
  if (odd.names) extensions.push(new SubjectAlternativeNameExtension(odd.names));
  if (odd.isAuthority !== undefined) {
    extensions.push(new BasicConstraintsExtension(odd.isAuthority, undefined, true));
  }
  if (odd.keyUsage !== undefined) extensions.push(new KeyUsagesExtension(odd.keyUsage, true));
  if (odd.extendedKeyUsages) {
    extensions.push(new ExtendedKeyUsageExtension([...odd.extendedKeyUsages]));
  }
  return [...extensions, ...(odd.further ?? [])];
}
