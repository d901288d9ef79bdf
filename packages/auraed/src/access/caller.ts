import { type CertificateFacts, readIdentity } from "@aurae/pki/identity";
import type { SpiffeId, TrustDomain } from "@aurae/pki/spiffe-id";

/** Whom the daemon knows. */
export interface CallerRules {
  readonly trustDomain: TrustDomain;
  /** Who a certificate without a URI speaks for, by its common name. Any other such one is refused. */
  readonly identities: ReadonlyMap<string, SpiffeId>;
}

/** The owner of a connection, as its certificate tells. `why` is one line, without a full stop. */
export type Caller =
  | { readonly kind: "known"; readonly identity: SpiffeId; readonly certificate: CertificateFacts }
  | { readonly kind: "refused"; readonly reason: RefusalReason; readonly why: string };

export type RefusalReason =
  | "CERTIFICATE_EXPIRED"
  | "CERTIFICATE_NOT_YET_VALID"
  | "IDENTITY_MISSING"
  | "IDENTITY_REFUSED";

export interface CallerRefusal {
  readonly reason: RefusalReason;
  readonly why: string;
}

/** Who owns the certificate (DER) that TLS has accepted; read once for each connection. */
export function readCaller(certificate: Uint8Array, rules: CallerRules): Caller {
  const read = readIdentity(certificate, rules.trustDomain);
  switch (read.kind) {
    case "spiffe":
      return { kind: "known", identity: read.spiffeId, certificate: read.certificate };
    case "no-uri": {
      const { commonName } = read.certificate;
      const identity = commonName === undefined ? undefined : rules.identities.get(commonName);
      if (identity !== undefined) {
        return { kind: "known", identity, certificate: read.certificate };
      }
      const name = commonName === undefined ? "" : ` ${JSON.stringify(commonName.slice(0, 80))}`;
      const why = `the certificate${name} has no SPIFFE URI, and its common name is not mapped`;
      return { kind: "refused", reason: "IDENTITY_MISSING", why };
    }
    case "refused":
    case "malformed":
      return { kind: "refused", reason: "IDENTITY_REFUSED", why: read.why };
    default:
      return read satisfies never;
  }
}

/** Why a caller is not served at this moment, if it is not: asked before every call (fault 86). */
export function findCallerRefusal(caller: Caller, now: Date): CallerRefusal | undefined {
  if (caller.kind === "refused") return caller;
  const { notBefore, notAfter } = caller.certificate;
  if (now < notBefore) {
    const why = `the certificate is not valid before ${notBefore.toISOString()}`;
    return { reason: "CERTIFICATE_NOT_YET_VALID", why };
  }
  if (now > notAfter) {
    const why = `the certificate has expired at ${notAfter.toISOString()}`;
    return { reason: "CERTIFICATE_EXPIRED", why };
  }
  return undefined;
}
