import { PkiError } from "./pki-error.ts";

const dayMs = 24 * 60 * 60 * 1000;

/**
 * How long an authority is valid: 3650 days, in milliseconds. Ten years is the most we make: there
 * is no way yet to hand a new authority to running daemons, and a key on a disk should not outlive
 * the machine it is on.
 */
export const authorityLifetimeMs: number = 3650 * dayMs;

/**
 * How long a server's or client's certificate is valid when nothing else is asked for: 30 days, in
 * milliseconds. Nothing renews certificates by itself yet; when it does, this becomes shorter.
 */
export const leafLifetimeMs: number = 30 * dayMs;

/** How far back a certificate begins, in milliseconds: a peer whose clock is 5 minutes slow still accepts it. */
export const clockSkewMs: number = 5 * 60 * 1000;

/** From when to when a certificate is valid, both ends included (RFC 5280 §4.1.2.5). */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/**
 * The time a certificate is valid, when it lives `lifetimeMs` from `issuedAt` on.
 *
 * Certificates count in seconds, so fractions are cut off.
 *
 * @throws {PkiError} when the lifetime is less than a second or more than an authority's.
 */
export function parseValidity(lifetimeMs: number, issuedAt: Date): Validity {
  if (!(lifetimeMs >= 1000 && lifetimeMs <= authorityLifetimeMs)) {
    throw new PkiError(
      `Cannot issue a certificate for ${lifetimeMs} ms: it must live from 1 s to 3650 days`,
    );
  }
  const notBefore = new Date(issuedAt.getTime() - clockSkewMs);
  const notAfter = new Date(issuedAt.getTime() + lifetimeMs);
  if (Number.isNaN(notBefore.getTime()) || Number.isNaN(notAfter.getTime())) {
    throw new PkiError("Cannot issue a certificate: the time it begins is not a date");
  }
  notBefore.setUTCMilliseconds(0);
  notAfter.setUTCMilliseconds(0);
  return { notBefore, notAfter };
}
