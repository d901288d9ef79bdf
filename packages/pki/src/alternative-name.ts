import { isIP } from "node:net";
import { PkiError, quote } from "./pki-error.ts";

/** A name under which clients reach a server, as it stands in the certificate (RFC 5280 §4.2.1.6). */
export interface AlternativeName {
  readonly type: "dns" | "ip";
  readonly value: string;
}

/**
 * Check what a user gave as a further name of a server: a DNS name or an IP address, nothing else.
 * No wildcard, port, brackets, zone or trailing dot: a name that has to be repaired is a name nobody
 * would be reached by.
 *
 * @throws {PkiError} that says why it is neither.
 */
export function parseAlternativeName(text: string): AlternativeName {
  switch (isIP(text)) {
    case 4:
      return { type: "ip", value: text };
    case 6:
      if (text.includes("%")) throw refusal(text, "an IP address in a certificate has no zone");
      // The library below takes groups of hex digits only; this writes ::ffff:192.0.2.1 with them.
      return { type: "ip", value: new URL(`http://[${text}]`).hostname.slice(1, -1) };
    default:
      return parseDnsName(text);
  }
}

/**
 * Check a DNS name: labels of letters, digits and inner hyphens, 1 to 63 bytes each, 253 in all
 * (RFC 1123 §2.1). The last label is not a number, since `127.0.0.256` means an address.
 *
 * @throws {PkiError} that says what is wrong with it.
 */
export function parseDnsName(text: string): AlternativeName {
  const labels = text.split(".");
  if (text.length > 253) throw refusal(text, "it is longer than 253 bytes");
  for (const label of labels) {
    if (label === "") throw refusal(text, "it has an empty label");
    if (label.length > 63) throw refusal(text, "it has a label longer than 63 bytes");
    if (!/^[A-Za-z0-9-]*$/.test(label))
      throw refusal(text, "it has a character other than a-z 0-9 - .");
    if (label.startsWith("-") || label.endsWith("-"))
      throw refusal(text, "it has a label with a hyphen at an end");
  }
  if (/^[0-9]*$/.test(labels.at(-1) ?? "")) throw refusal(text, "its last label is a number");
  return { type: "dns", value: text };
}

function refusal(text: string, why: string): PkiError {
  return new PkiError(`Cannot parse ${quote(text)} as DNS name or IP address: ${why}`);
}
