import type { Limits } from "@aurae/domain/cells";
import type { LimitWrite } from "./limit-write.ts";

/**
 * The writes for memory. Version 1 knows neither high, low nor min: their files are named all the
 * same, so that they are found missing before anything is made.
 */
export function memoryWrites(limits: Limits, version: 1 | 2): readonly LimitWrite[] {
  const { memoryMaxBytes: max, memorySwapMaxBytes: swap } = limits;
  return [
    ...write("memory.min", limits.memoryMinBytes),
    ...write("memory.low", limits.memoryLowBytes),
    ...write("memory.high", limits.memoryHighBytes),
    ...write(version === 1 ? "memory.limit_in_bytes" : "memory.max", max),
    ...(version === 1
      ? // Memory and swap together, never below the limit of memory alone: EINVAL. So it comes after.
        write("memory.memsw.limit_in_bytes", add(max, swap))
      : write("memory.swap.max", swap)),
  ];
}

function add(max: bigint | undefined, swap: bigint | undefined): bigint | undefined {
  return max === undefined || swap === undefined ? undefined : max + swap;
}

function write(file: string, bytes: bigint | undefined): readonly LimitWrite[] {
  if (bytes === undefined) return [];
  return [{ controller: "memory", file, value: String(bytes), compare: "bytes" }];
}
