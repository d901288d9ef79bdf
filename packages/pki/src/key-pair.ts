import { KeyObject, type webcrypto } from "node:crypto";

/** A P-256 key pair (FIPS 186-5): the smallest that every TLS 1.3 peer must support (RFC 8446 §9.1). */
export function createKeyPair(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
}

/** The private key as PKCS#8 in PEM (RFC 5958), not encrypted: who writes it guards it. */
export function toPrivateKeyPem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: "pkcs8", format: "pem" }).toString();
}
