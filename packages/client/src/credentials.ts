import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext, type SecureContext } from "node:tls";
import { clientDomain, Invalid } from "./errors.ts";
import { describeSystemError, isSystemError } from "./system-error.ts";

/** What mutual TLS needs: each a path, or the PEM text itself. */
export interface CredentialOptions {
  /** The authority that signed the daemon's certificate. */
  readonly caCrt: string;
  readonly clientCrt: string;
  readonly clientKey: string;
}

/** The files behind the credentials, checked to fit together. */
export interface Credentials {
  /** TLS 1.3 and nothing older: both ends are ours. */
  readonly context: SecureContext;
  readonly clientCertificate: X509Certificate;
}

const titles = {
  caCrt: "CA certificate",
  clientCrt: "client certificate",
  clientKey: "client key",
} as const satisfies Record<keyof CredentialOptions, string>;

/**
 * Read the credentials and check that they are what they should be.
 *
 * @throws {Invalid} that names the file and says how to get one.
 */
export async function readCredentials(options: CredentialOptions): Promise<Credentials> {
  const ca = await readPem("caCrt", options.caCrt);
  const cert = await readPem("clientCrt", options.clientCrt);
  const key = await readPem("clientKey", options.clientKey);

  // One by one first: then the message can name the one that is broken.
  tryContext(`Cannot use ${name("caCrt", options)}: it is no certificate in PEM`, { ca });
  tryContext(`Cannot use ${name("clientCrt", options)}: it is no certificate in PEM`, { cert });
  tryContext(`Cannot use ${name("clientKey", options)}: it is no private key in PEM`, { key });
  const context = tryContext(
    `Cannot use ${name("clientKey", options)}: it is not the key of ${name("clientCrt", options)}`,
    { ca, cert, key, minVersion: "TLSv1.3" },
  );
  return { context, clientCertificate: new X509Certificate(cert) };
}

function tryContext(
  message: string,
  options: NonNullable<Parameters<typeof createSecureContext>[0]>,
): SecureContext {
  try {
    return createSecureContext(options);
  } catch (cause) {
    throw refuse("CERTIFICATE_INVALID", message, cause);
  }
}

async function readPem(kind: keyof CredentialOptions, value: string): Promise<string> {
  if (isPem(value)) return value;
  try {
    return await readFile(value, "utf8");
  } catch (cause) {
    const reason = isSystemError(cause) && cause.code === "ENOENT" ? "MISSING" : "UNREADABLE";
    const message = `Cannot read ${titles[kind]} ${value}: ${describeSystemError(cause)}`;
    throw refuse(`CERTIFICATE_${reason}`, message, cause);
  }
}

function name(kind: keyof CredentialOptions, options: CredentialOptions): string {
  return isPem(options[kind]) ? `the ${titles[kind]}` : `${titles[kind]} ${options[kind]}`;
}

function isPem(value: string): boolean {
  return value.includes("-----BEGIN ");
}

function refuse(reason: string, message: string, cause: unknown): Invalid {
  return new Invalid("INVALID_ARGUMENT", message, { reason, domain: clientDomain, cause });
}
