const nsPerMs = 1_000_000n;

/** Nanoseconds since the UNIX epoch as a date, which knows milliseconds only. */
export function toDate(ns: bigint): Date {
  return new Date(Number(ns / nsPerMs));
}

/** A date as nanoseconds since the UNIX epoch. */
export function toNs(date: Date): bigint {
  return BigInt(date.getTime()) * nsPerMs;
}
