/** Nanoseconds since the UNIX epoch as a line of a log has them. */
export function formatTime(atNs: bigint): string {
  const seconds = new Date(Number(atNs / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(atNs % 1_000_000_000n).padStart(9, "0")}Z`;
}
