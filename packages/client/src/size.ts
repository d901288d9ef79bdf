import { clientDomain, Invalid } from "./errors.ts";

/** A number of bytes: as a number, or as `"512M"`. K, M, G and T are binary: 1K is 1024. */
export type Size = number | bigint | `${number}${"" | "K" | "M" | "G" | "T"}`;

const powers = { "": 0n, K: 1n, M: 2n, G: 3n, T: 4n } as const;

/** The largest number of the wire, uint64. */
const maxBytes = 2n ** 64n - 1n;

/**
 * Read a size as a number of bytes. It refuses and never rounds: `"1.5G"` is a whole number of
 * bytes and is taken, `"0.3K"` is not.
 *
 * @throws {Invalid} that says what would be right.
 */
export function parseSize(size: Size | (string & {})): bigint {
  const bytes = typeof size === "string" ? parseText(size) : parseNumber(size);
  if (bytes === undefined || bytes < 0n || bytes > maxBytes) {
    throw new Invalid(
      "INVALID_ARGUMENT",
      `Cannot parse size ${JSON.stringify(String(size))}: must be whole bytes, such as 1048576, 512M or 1.5G`,
      { reason: "SIZE_INVALID", domain: clientDomain },
    );
  }
  return bytes;
}

function parseNumber(size: number | bigint): bigint | undefined {
  if (typeof size === "bigint") return size;
  return Number.isSafeInteger(size) ? BigInt(size) : undefined;
}

function parseText(text: string): bigint | undefined {
  const match = /^(\d{1,20})(?:\.(\d{1,15}))?([KMGT]?)$/.exec(text);
  if (match === null) return undefined;
  const [, whole = "", fraction = "", unit = ""] = match;
  const factor = 1024n ** powers[unit as keyof typeof powers];
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * factor;
  return scaled % scale === 0n ? scaled / scale : undefined;
}
