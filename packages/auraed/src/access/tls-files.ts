import { createPrivateKey, X509Certificate } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { inWords } from "../process/in-words.ts";
import { Refusal } from "../process/refusal.ts";
import { octal, whyNotTrusted } from "../process/trusted-file.ts";

/** Where the daemon's certificates are. */
export interface TlsPaths {
  readonly caCrt: string;
  readonly serverCrt: string;
  readonly serverKey: string;
}

export interface CertificateLife {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** The certificates of the daemon in PEM: read, fitting together, and good for TLS. */
export interface TlsFiles {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
  /** When the life of the server's certificate begins and ends. */
  readonly life: CertificateLife;
}

const remedy = "make certificates with: aer pki init DIR";

/**
 * Read the certificates and check them before they are used.
 *
 * @throws Refusal that names the file, says what is wrong with it and how to make it
 */
export function readTlsFiles(paths: TlsPaths): TlsFiles {
  const ca = readPem(paths.caCrt, "--ca-crt", "the authority's certificate");
  const cert = readPem(paths.serverCrt, "--server-crt", "the server's certificate");
  const key = readPem(paths.serverKey, "--server-key", "the server's key", { isSecret: true });

  parse(paths.caCrt, "a certificate in PEM", () => new X509Certificate(ca));
  const certificate = parse(
    paths.serverCrt,
    "a certificate in PEM",
    () => new X509Certificate(cert),
  );
  const privateKey = parse(paths.serverKey, "a private key in PEM", () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    const mismatch = `it is not the key of the certificate ${paths.serverCrt}`;
    throw new Refusal(`Cannot use the key ${paths.serverKey}: ${mismatch}`);
  }
  if (certificate.validToDate < new Date()) {
    const ended = `it has expired at ${certificate.validToDate.toISOString()}`;
    throw new Refusal(`Cannot use the certificate ${paths.serverCrt}: ${ended} (${remedy})`);
  }
  parse(paths.serverCrt, "what TLS takes", () => createSecureContext({ ca, cert, key }));
  const life = { notBefore: certificate.validFromDate, notAfter: certificate.validToDate };
  return { ca, cert, key, life };
}

/** Whether it is time for a new one: less than a third of its life is left. */
export function isEndingSoon({ notBefore, notAfter }: CertificateLife, now: Date): boolean {
  return (notAfter.getTime() - now.getTime()) * 3 < notAfter.getTime() - notBefore.getTime();
}

function readPem(
  path: string,
  flag: string,
  what: string,
  { isSecret = false }: { readonly isSecret?: boolean } = {},
): Buffer {
  let descriptor: number | undefined;
  try {
    // A FIFO in its place must not stop the daemon.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = fstatSync(descriptor);
    if (!status.isFile()) throw new Refusal(`Cannot read ${what} ${path}: it is not a file`);
    if (isSecret && (status.mode & 0o077) !== 0) {
      const open = `others may use it, its mode is ${octal(status.mode)}`;
      throw new Refusal(`Cannot use ${what} ${path}: ${open} (chmod 600 ${path})`);
    }
    const why = whyNotTrusted(status);
    if (why !== undefined) throw new Refusal(`Cannot trust ${what} ${path}: ${why}`);
    return readFileSync(descriptor);
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    const how = `${remedy}, and name the file with ${flag}`;
    throw new Refusal(`Cannot read ${what} ${path}: ${inWords(cause)} (${how})`, { cause });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function parse<T>(path: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Refusal(`Cannot use ${path}: it is not ${what} (${remedy})`, { cause });
  }
}
