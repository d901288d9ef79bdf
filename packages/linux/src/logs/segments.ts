import { join } from "node:path";
import type { LogKey } from "@aurae/domain/observe";

/** Where the segments of a run are. Nothing is ever renamed: a place is (segment, offset) for ever. */
export function segmentPath(
  directory: string,
  { executable, run }: LogKey,
  segment: number,
): string {
  return join(directory, executable, segment === 0 ? `${run}.log` : `${run}.log.${segment}`);
}

/** The numbers of a run's segments, in order, out of the names in the directory of its executable. */
export function segmentsOf(names: readonly string[], run: number): readonly number[] {
  const first = `${run}.log`;
  return names
    .filter((name) => name === first || name.startsWith(`${first}.`))
    .map((name) => (name === first ? "0" : name.slice(first.length + 1)))
    .filter((number) => /^\d{1,15}$/.test(number))
    .map(Number)
    .sort((one, other) => one - other);
}
