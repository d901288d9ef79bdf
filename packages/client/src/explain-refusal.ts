import { once } from "node:events";
import { isIP } from "node:net";
import { checkServerIdentity, connect, type TLSSocket } from "node:tls";
import { formatAddress } from "./address.ts";
import { type AuraeError, clientDomain, Denied, Unavailable } from "./errors.ts";
import type { Peer } from "./peer.ts";
import { describeSystemError } from "./system-error.ts";

/** How long one step of the attempt may take. */
const stepMs = 3000;

/**
 * Say why a daemon cannot be reached, by trying it once more step by step: grpc-js has one code and
 * one sentence for all that can go wrong here.
 */
export async function explainRefusal(peer: Peer, signal?: AbortSignal): Promise<AuraeError> {
  const where = `Cannot reach the daemon at ${formatAddress(peer.address)}`;
  const socket = openSocket(peer);
  try {
    try {
      await once(socket, "secureConnect", withTimeout(signal));
    } catch (cause) {
      return explainHandshake(where, peer, cause);
    }
    try {
      // In TLS 1.3 we are done before the server has judged our certificate. A daemon that accepts
      // it sends its HTTP/2 settings at once (RFC 9113 §3.4).
      await once(socket, "data", withTimeout(signal));
    } catch (cause) {
      return refused(where, peer, cause);
    }
    return unavailable("DAEMON_UNREACHABLE", `${where}: it refused, and now it answers`, undefined);
  } finally {
    socket.destroy();
  }
}

function openSocket({ address, serverName, credentials }: Peer): TLSSocket {
  const { context } = credentials;
  const socket = connect({
    ...(address.kind === "unix"
      ? { path: address.path }
      : { host: address.host, port: address.port }),
    secureContext: context,
    servername: isIP(serverName) === 0 ? serverName : "localhost",
    checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
    ALPNProtocols: ["h2"],
  });
  // `once` rejects on an error; a plain end is one here too.
  socket.once("close", () => socket.emit("error", new Error("it ended the connection")));
  socket.on("error", () => undefined);
  return socket;
}

function withTimeout(signal: AbortSignal | undefined): { readonly signal: AbortSignal } {
  const timeout = AbortSignal.timeout(stepMs);
  return { signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) };
}

function explainHandshake(where: string, peer: Peer, cause: unknown): AuraeError {
  const code = readCode(cause);
  const known = connectFailures[code];
  if (known !== undefined) return unavailable("DAEMON_UNREACHABLE", `${where}: ${known}`, cause);
  const distrust = distrusts[code];
  if (distrust !== undefined) {
    const why = distrust.replace("%s", peer.serverName);
    return new Denied("UNAUTHENTICATED", `${where}: ${why}`, {
      reason: "SERVER_NOT_TRUSTED",
      domain: clientDomain,
      cause,
    });
  }
  if (code.includes("ALERT")) return refused(where, peer, cause);
  if (code.includes("SSL") || code === "EPROTO") {
    return unavailable("NO_TLS", `${where}: what listens there does not speak TLS 1.3`, cause);
  }
  return unavailable("DAEMON_UNREACHABLE", `${where}: ${describe(cause)}`, cause);
}

const connectFailures: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket",
  ECONNREFUSED: "nobody listens there",
  EACCES: "this user may not open the socket",
  ENOTFOUND: "the host name is unknown",
  EAI_AGAIN: "the host name cannot be looked up",
};

/** OpenSSL's words for what is wrong with the server's certificate, in ours. */
const distrusts: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not signed by this CA",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is not signed by this CA",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is not signed by this CA",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is not signed by this CA",
  CERT_SIGNATURE_FAILURE: "its certificate is not signed by this CA",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate does not carry the name %s",
};

function refused(where: string, peer: Peer, cause: unknown): AuraeError {
  const { validFromDate, validToDate } = readValidity(peer);
  let why = "it does not accept the client certificate";
  if (validToDate < new Date()) why += `, which expired on ${validToDate.toISOString()}`;
  if (validFromDate > new Date()) why += `, which is valid from ${validFromDate.toISOString()} on`;
  return new Denied("UNAUTHENTICATED", `${where}: ${why}`, {
    reason: validToDate < new Date() ? "CERTIFICATE_EXPIRED" : "CERTIFICATE_REFUSED",
    domain: clientDomain,
    cause,
  });
}

function readValidity({ credentials }: Peer): { validFromDate: Date; validToDate: Date } {
  const { validFrom, validTo } = credentials.clientCertificate;
  return { validFromDate: new Date(validFrom), validToDate: new Date(validTo) };
}

function unavailable(reason: string, message: string, cause: unknown): Unavailable {
  return new Unavailable("UNAVAILABLE", message, { reason, domain: clientDomain, cause });
}

function readCode(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}

function describe(cause: unknown): string {
  const isLate = cause instanceof Error && cause.name === "AbortError";
  return isLate ? "it does not answer" : describeSystemError(cause);
}
