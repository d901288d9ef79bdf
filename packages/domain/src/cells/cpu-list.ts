import type { Wrong } from "../violations.ts";

/** More than any kernel is built for (CONFIG_NR_CPUS). */
const maxCpu = 8191;

/** A list as the kernel takes it ("0-2,4"), unchanged, or what is wrong with it. */
export function parseCpuList(text: string): string | Wrong {
  if (text.length > 4096) return { wrong: "must be at most 4096 bytes" };
  const ranges = text.split(",").map(toRange);
  if (ranges.some((range) => range === undefined)) {
    return { wrong: 'must be numbers and ranges joined by commas, such as "0-2,4"' };
  }
  if (ranges.some((range) => range !== undefined && range.last > maxCpu))
    return { wrong: `must name at most number ${maxCpu}` };
  if (ranges.some((range) => range !== undefined && range.first > range.last))
    return { wrong: "has a range that ends before it begins" };
  return text;
}

function toRange(text: string): { readonly first: number; readonly last: number } | undefined {
  const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  return { first, last: match[2] === undefined ? first : Number(match[2]) };
}
