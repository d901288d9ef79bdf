import type { Stats } from "node:fs";
import { lstat, mkdir, rmdir } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type Authority, createAuthority } from "./authority.ts";
import { issueClientCertificate, issueServerCertificate } from "./certificates.ts";
import type { IssuedCertificate } from "./leaf.ts";
import { type NewFile, undo, writeNewFiles } from "./new-files.ts";
import { describeSystemError, hasCode, PkiError } from "./pki-error.ts";

/** What the first certificates of a node can be asked to differ in. */
export interface InitOptions {
  /** A DNS name. Default: the host name of this machine. */
  readonly hostname?: string | undefined;
  /** Further DNS names and IP addresses under which clients reach the server. */
  readonly alternativeNames?: readonly string[] | undefined;
  /** Default: `aurae.local`. */
  readonly trustDomain?: string | undefined;
  /** The path of the client's SPIFFE ID. Default: `aer/client`. */
  readonly clientPath?: string | undefined;
  /** Of server and client, in milliseconds. Default: leafLifetimeMs, 30 days. */
  readonly lifetimeMs?: number | undefined;
}

/** What was written, for whoever tells the user. */
export interface InitializedDirectory {
  /** Absolute. */
  readonly directory: string;
  /** In the order of {@link pkiFileNames}. */
  readonly files: readonly string[];
  readonly server: IssuedCertificate;
  readonly client: IssuedCertificate;
}

/** The files of a PKI directory. Keys are PKCS#8, mode 0600; certificates 0644; all of them PEM. */
export const pkiFileNames = [
  "ca.crt",
  "ca.key",
  "server.crt",
  "server.key",
  "client.crt",
  "client.key",
] as const;

/**
 * Make an authority, a server and a client certificate, and write the six files; all or nothing.
 *
 * A directory that does not exist is made with mode 0700, and its parents too. One that exists must
 * be a directory itself, no symbolic link, and nobody but its owner may write in it: whoever can
 * replace ca.crt decides whom clients trust.
 *
 * @throws {PkiError} when one of the files exists (it is named), when a name or lifetime is
 * malformed, when the directory is unsafe, or when writing fails. Then nothing has changed.
 */
export async function initDirectory(
  directory: string,
  options: InitOptions = {},
): Promise<InitializedDirectory> {
  const path = resolve(directory);
  const { trustDomain, lifetimeMs, alternativeNames } = options;
  const name = options.hostname ?? hostname();
  const authority = await createAuthority({ trustDomain });
  const server = await issueServerCertificate(authority, {
    hostname: name,
    alternativeNames,
    lifetimeMs,
  });
  const client = await issueClientCertificate(authority, { path: options.clientPath, lifetimeMs });

  const made: string[] = [];
  try {
    await makeDirectory(path, made);
    await refuseUnsafe(path);
    await writeNewFiles(path, toFiles(authority, server, client));
  } catch (cause) {
    throw await undo(cause, made, rmdir);
  }
  return { directory: path, files: pkiFileNames.map((name) => join(path, name)), server, client };
}

function toFiles(
  authority: Authority,
  server: IssuedCertificate,
  client: IssuedCertificate,
): readonly NewFile[] {
  const content = {
    "ca.crt": authority.certificatePem,
    "ca.key": authority.privateKeyPem,
    "server.crt": server.certificatePem,
    "server.key": server.privateKeyPem,
    "client.crt": client.certificatePem,
    "client.key": client.privateKeyPem,
  } as const satisfies Record<(typeof pkiFileNames)[number], string>;
  return pkiFileNames.map((name) => ({
    name,
    mode: name.endsWith(".key") ? 0o600 : 0o644,
    content: content[name],
  }));
}

/** Make a directory and the parents it lacks, adding each to `made` as soon as it is there. */
async function makeDirectory(path: string, made: string[]): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
    made.push(path);
  } catch (cause) {
    if (hasCode(cause, "EEXIST")) return;
    if (!hasCode(cause, "ENOENT") || dirname(path) === path) {
      throw new PkiError(`Cannot make directory ${path}: ${describeSystemError(cause)}`, { cause });
    }
    await makeDirectory(dirname(path), made);
    await makeDirectory(path, made);
  }
}

async function refuseUnsafe(path: string): Promise<void> {
  const why = findDanger(await lstat(path));
  if (why !== undefined) throw new PkiError(`Cannot write certificates into ${path}: ${why}`);
}

function findDanger(status: Stats): string | undefined {
  if (status.isSymbolicLink()) return "it is a symbolic link";
  if (!status.isDirectory()) return "it is not a directory";
  if ((status.mode & 0o022) === 0) return undefined;
  const mode = (status.mode & 0o7777).toString(8).padStart(4, "0");
  return `others may write in it, its mode is ${mode}`;
}
