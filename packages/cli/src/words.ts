import type { End, HeldLimits } from "@aurae/client";

/** How a run ended and what it used, in a line: `exit 0 · 38 ms cpu · 9.4 MiB peak`. */
export function describeEnd(end: End): string {
  const { cpuTimeMs, memoryPeakBytes } = end.usage;
  const parts = [describeReason(end)];
  if (cpuTimeMs !== undefined) parts.push(`${formatMs(cpuTimeMs)} cpu`);
  if (memoryPeakBytes !== undefined) parts.push(`${formatBytes(memoryPeakBytes)} peak`);
  return parts.join(" · ");
}

/** The limits that hold, in a line: `memory 512M, cpus 1.5, pids 1024`. */
export function describeLimits(limits: HeldLimits): string {
  const parts = [
    ["memory", size(limits.memoryMaxBytes)],
    ["memory-high", size(limits.memoryHighBytes)],
    ["memory-low", size(limits.memoryLowBytes)],
    ["memory-min", size(limits.memoryMinBytes)],
    ["memory-swap", size(limits.memorySwapMaxBytes)],
    ["cpus", limits.cpus?.toString()],
    ["cpu-weight", limits.cpuWeight?.toString()],
    ["cpu-shares", limits.cpuShares?.toString()],
    ["cpuset", limits.cpuset],
    ["cpuset-mems", limits.cpusetMems],
    ["pids", limits.pids?.toString()],
  ];
  return parts
    .filter(([, value]) => value !== undefined)
    .map((part) => part.join(" "))
    .join(", ");
}

function describeReason(end: End): string {
  const how = end.signal ?? `exit ${end.exitCode ?? "?"}`;
  switch (end.reason) {
    case "exited":
    case "signaled":
      return how;
    case "oom":
      return "out of memory";
    case "timeout":
      return "timed out";
    case "aborted":
      return `stopped, ${how}`;
    case "ttl":
      return "its cell's time was over";
    case "lost":
      return "lost: its supervisor died";
    case "unknown":
      return how;
    default:
      return end.reason satisfies never;
  }
}

function formatMs(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function formatBytes(bytes: bigint): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = Number(bytes);
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** In the words of the flags, and exact: `512M`, or the bytes when no unit fits. */
function size(bytes: bigint | undefined): string | undefined {
  if (bytes === undefined || bytes === 0n) return bytes?.toString();
  const units = ["", "K", "M", "G", "T"];
  let value = bytes;
  let unit = 0;
  for (; value % 1024n === 0n && unit < units.length - 1; unit++) value /= 1024n;
  return `${value}${units[unit]}`;
}
