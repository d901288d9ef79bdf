import { clientDomain, Invalid } from "./errors.ts";

/** A time span: milliseconds as a number, or `"5s"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const factors = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * Read a duration as milliseconds: whole ones, at most 2^53. `"1.5s"` is taken, `"0.5ms"` is not.
 *
 * @throws {Invalid} that says what would be right.
 */
export function parseDuration(duration: Duration | (string & {})): number {
  const ms = typeof duration === "string" ? parseText(duration) : duration;
  if (!Number.isSafeInteger(ms) || ms < 0) {
    throw new Invalid(
      "INVALID_ARGUMENT",
      `Cannot parse duration ${JSON.stringify(String(duration))}: must be milliseconds or a number with ms, s, m, h or d, such as 10s or 1.5h`,
      { reason: "DURATION_INVALID", domain: clientDomain },
    );
  }
  return ms;
}

function parseText(text: string): number {
  const match = /^(\d{1,16})(?:\.(\d{1,9}))?(ms|s|m|h|d)$/.exec(text);
  if (match === null) return Number.NaN;
  const [, whole = "", fraction = "", unit = ""] = match;
  // In integers, for 0.1 s is no binary fraction.
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * BigInt(factors[unit as keyof typeof factors]);
  return scaled % scale === 0n ? Number(scaled / scale) : Number.NaN;
}
