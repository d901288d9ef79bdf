import type { Violations } from "../violations.ts";

/** Between SIGTERM and SIGKILL when the caller does not say. */
export const defaultGraceMs = 10_000;
const maxGraceMs = 3_600_000;

/** The grace of a Stop or Free, milliseconds; what is wrong is noted. */
export function parseGrace(
  field: string,
  graceMs: number | undefined,
  violations: Violations,
): number {
  if (graceMs !== undefined && graceMs > maxGraceMs) {
    violations.add(field, "FIELD_INVALID", `must be at most ${maxGraceMs} milliseconds`);
  }
  return graceMs ?? defaultGraceMs;
}
