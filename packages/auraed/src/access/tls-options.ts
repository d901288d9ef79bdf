import { constants } from "node:crypto";
import type { SecureContextOptions, TlsOptions } from "node:tls";
import type { TlsFiles } from "./tls-files.ts";

/** From the first byte to the last of a handshake (fault 92). */
export const handshakeTimeoutMs = 5000;

/** TLS as every listener has it: 1.3 with a client's certificate, and nothing else. */
export function toTlsOptions(files: TlsFiles): TlsOptions {
  return {
    ...toContextOptions(files),
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: ["h2"],
    handshakeTimeout: handshakeTimeoutMs,
  };
}

/**
 * The part that a reload changes. It is whole: `setSecureContext` forgets what is not in it.
 *
 * Without tickets there is no resumption, on which Node would accept a client's certificate that
 * has expired since (fault 86).
 */
export function toContextOptions({ ca, cert, key }: TlsFiles): SecureContextOptions {
  return { ca, cert, key, minVersion: "TLSv1.3", secureOptions: constants.SSL_OP_NO_TICKET };
}
