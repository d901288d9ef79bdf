import type { Controller } from "./mounts.ts";

/** One write that makes a limit hold, and how to see that it does. */
export interface LimitWrite {
  readonly controller: Controller;
  readonly file: string;
  readonly value: string;
  /**
   * What has to be read afterwards: the same text; as many bytes, but for what is cut off to whole
   * pages; or the same set of numbers.
   */
  readonly compare: "exact" | "bytes" | "set";
  /** Where to read it, when that is another file. */
  readonly readFile?: string;
}

/** The largest page of any machine we run on (arm64 may have 64 KiB). */
const maxPageBytes = 65_536n;

/** What the kernel stores for "max" in the files of version 2: more than any machine has. */
const unlimitedBytes = 2n ** 63n - 1n;

/** Whether the text that was read back means what was written. */
export function holds({ value, compare }: LimitWrite, actual: string): boolean {
  switch (compare) {
    case "exact":
      return actual.trim() === value;
    case "bytes":
      return holdsBytes(BigInt(value), actual.trim());
    case "set":
      return isSameSet(parseList(value), parseList(actual.trim()));
    default:
      return compare satisfies never;
  }
}

function holdsBytes(wanted: bigint, actual: string): boolean {
  if (actual !== "max" && !/^\d+$/.test(actual)) return false;
  const bytes = actual === "max" ? unlimitedBytes : BigInt(actual);
  // `max` is read for any limit that is more than the kernel counts to.
  if (actual === "max") return wanted > unlimitedBytes - maxPageBytes;
  return bytes <= wanted && wanted - bytes < maxPageBytes;
}

/** The numbers of a list such as "0-2,4". The bound is that of the kernel: 8,192 processors. */
function parseList(list: string): ReadonlySet<number> {
  const numbers = new Set<number>();
  // An empty list is no number, and Number("") would be 0.
  for (const range of list.split(",").filter(Boolean)) {
    const [first, last = first] = range.split("-").map(Number);
    if (first === undefined || last === undefined || last > 65_535) continue;
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return numbers;
}

function isSameSet(one: ReadonlySet<number>, other: ReadonlySet<number>): boolean {
  return one.size === other.size && [...one].every((number) => other.has(number));
}
