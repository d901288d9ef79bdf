import { crc32 } from "node:zlib";

/** The fields of a file of ours, each still to be checked. */
export type Json = { readonly [key: string]: unknown };

/** What is written now; 1 was the same without a checksum. Rises when an older daemon must not read it. */
const version = 2;

const seal = /^,"crc32":"([0-9a-f]{8})"\}$/;
const sealBytes = ',"crc32":"00000000"}'.length;

/**
 * Fields as JSON that says of itself whether it is whole: its last member is the CRC-32 of all bytes
 * before it. So no bit of it flips unnoticed, and it is JSON still, on one line.
 */
export function sealJson(fields: object): string {
  const text = JSON.stringify({ version, ...fields });
  const body = text.slice(0, -1);
  return `${body},"crc32":"${toHex(crc32(body))}"}`;
}

/**
 * What `sealJson` wrote, or what was written before there were seals.
 *
 * @param unsealedVersion what the latter has for its version; undefined when it had none
 * @throws Error that says what is wrong: it is cut or damaged (faults 61, 62), or newer (fault 65)
 */
export function openJson(bytes: Buffer, unsealedVersion: number | undefined): Json {
  const body = bytes.subarray(0, Math.max(0, bytes.length - sealBytes));
  const [, checksum] = seal.exec(bytes.subarray(body.length).toString("latin1")) ?? [];
  if (checksum !== undefined && checksum !== toHex(crc32(body))) {
    throw new Error("its checksum is wrong: it is damaged");
  }
  const fields = parseObject(bytes);
  const expected = checksum === undefined ? unsealedVersion : version;
  if (fields["version"] !== expected) throw new Error(describeVersion(fields["version"]));
  return fields;
}

function describeVersion(found: unknown): string {
  if (found === version) return "it is without its checksum: it is damaged";
  if (typeof found === "number" && found > version) {
    return `it is of version ${found}, and this daemon reads up to ${version}: a newer one wrote it`;
  }
  return `it is of version ${String(found)}`;
}

function parseObject(bytes: Buffer): Json {
  return asObject(parseJson(bytes), "it");
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    // What the parser says of it would quote what may be a secret: an environment.
    throw new Error(bytes.length === 0 ? "it is empty" : "it is cut or damaged: it is no JSON");
  }
}

/** @throws Error that names `what` */
export function asObject(value: unknown, what: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${what} is no object`);
  }
  return Object.fromEntries(Object.entries(value));
}

function toHex(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}
