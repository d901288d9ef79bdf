import { isIP, isIPv6 } from "node:net";
import { resolve } from "node:path";
import { clientDomain, Invalid } from "./errors.ts";

/** Where a daemon listens. */
export type Address =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/**
 * Read an address: a path (with a "/" in it, or `unix:…`) or `host:port`, IPv6 in brackets, with its
 * scope if it needs one: `[fe80::1%eth0]:8080`.
 *
 * @throws {Invalid} that says what would be right.
 */
export function parseAddress(text: string): Address {
  const path = text.startsWith("unix:") ? text.slice("unix:".length) : text;
  if (path !== text || path.includes("/")) return parseUnix(path);
  const match = /^(?:\[([^\]]*)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (match === null) throw refuse(text, "must be a path or host:port, such as [::1]:8080");
  const [, bracketed, bare, port] = match;
  if (bracketed !== undefined && !isIPv6(bracketed)) {
    throw refuse(text, "what is in brackets must be an IPv6 address");
  }
  if (Number(port) < 1 || Number(port) > 65_535) throw refuse(text, "the port must be 1–65535");
  return { kind: "tcp", host: bracketed ?? bare ?? "", port: Number(port) };
}

/** The address as a person would write it. */
export function formatAddress(address: Address): string {
  return address.kind === "unix" ? address.path : joinHostPort(address.host, address.port);
}

/** The name that the certificate of a daemon has to carry when nobody says another. */
export function defaultServerName(address: Address): string {
  // A Unix socket has no name of its own, and a scope means something on this machine only.
  return address.kind === "unix" ? "localhost" : address.host.replace(/%.*$/, "");
}

/** The address as grpc-js takes it. */
export function toTarget(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const { host, port } = address;
  const scheme = { 0: "dns", 4: "ipv4", 6: "ipv6" }[isIP(host)] ?? "dns";
  return `${scheme}:${joinHostPort(host, port)}`;
}

function parseUnix(path: string): Address {
  // sun_path of unix(7) holds 108 bytes, the last of them 0.
  const bytes = Buffer.byteLength(resolve(path));
  if (path === "" || path.includes("\0")) throw refuse(path, "must be a path");
  if (bytes > 107) throw refuse(path, `a socket's path has at most 107 bytes, this has ${bytes}`);
  return { kind: "unix", path: resolve(path) };
}

function joinHostPort(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

function refuse(text: string, why: string): Invalid {
  return new Invalid("INVALID_ARGUMENT", `Cannot parse address ${JSON.stringify(text)}: ${why}`, {
    reason: "ADDRESS_INVALID",
    domain: clientDomain,
  });
}
