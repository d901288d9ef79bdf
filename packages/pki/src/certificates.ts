import { type AlternativeName, parseAlternativeName, parseDnsName } from "./alternative-name.ts";
import type { Authority } from "./authority.ts";
import { type IssuedCertificate, issueLeaf, type LeafOptions } from "./leaf.ts";
import { parseSpiffeId } from "./spiffe-id.ts";
import { ExtendedKeyUsage } from "./x509.ts";

/** What a server's certificate says. */
export interface ServerCertificateOptions extends LeafOptions {
  /** The node's host name: a DNS name. It ends the SPIFFE ID and is a name clients reach it by. */
  readonly hostname: string;
  /** Further DNS names and IP addresses clients reach it by. */
  readonly alternativeNames?: readonly string[] | undefined;
}

/** What a client's certificate says. */
export interface ClientCertificateOptions extends LeafOptions {
  /** The path of the SPIFFE ID, without the leading slash. Default: `aer/client`. */
  readonly path?: string | undefined;
}

/**
 * Issue the certificate of a daemon: `spiffe://<trust domain>/node/<hostname>`, reached as
 * `localhost`, the host name, 127.0.0.1, ::1 and what else is asked for. It may act as a client
 * too, since a daemon calls other daemons.
 *
 * @throws {PkiError} when a name is neither a DNS name nor an IP address, or the lifetime does not fit.
 */
export async function issueServerCertificate(
  authority: Authority,
  options: ServerCertificateOptions,
): Promise<IssuedCertificate> {
  const hostname = parseDnsName(options.hostname);
  const always = ["127.0.0.1", "::1"].map(parseAlternativeName);
  const further = (options.alternativeNames ?? []).map(parseAlternativeName);
  const spiffeId = parseSpiffeId(
    `spiffe://${authority.trustDomain}/node/${hostname.value}`,
    authority.trustDomain,
  );
  const leaf = {
    commonName: "auraed",
    spiffeId,
    alternativeNames: eachOnce([parseDnsName("localhost"), hostname, ...always, ...further]),
    usages: [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth],
  };
  return issueLeaf(authority, leaf, options);
}

/**
 * Issue the certificate of a client: `spiffe://<trust domain>/aer/client`, or another path.
 *
 * @throws {PkiError} when the path is malformed (see parseSpiffeId) or the lifetime does not fit.
 */
export async function issueClientCertificate(
  authority: Authority,
  options: ClientCertificateOptions = {},
): Promise<IssuedCertificate> {
  const { trustDomain } = authority;
  const leaf = {
    commonName: "aer",
    spiffeId: parseSpiffeId(`spiffe://${trustDomain}/${options.path ?? "aer/client"}`, trustDomain),
    alternativeNames: [],
    usages: [ExtendedKeyUsage.clientAuth],
  };
  return issueLeaf(authority, leaf, options);
}

/** The same names in the same order, each once: a host can be called localhost. */
function eachOnce(names: readonly AlternativeName[]): readonly AlternativeName[] {
  return [
    ...new Map(names.map((name) => [`${name.type}:${name.value.toLowerCase()}`, name])).values(),
  ];
}
