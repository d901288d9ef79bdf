import { constants } from "node:os";
import { EndReason, type RunEnd, type Usage } from "@aurae/api/runtime";
import { dropAbsent } from "./present.ts";
import { toDate } from "./time.ts";

/** Why a run ended; the first cause wins. `unknown` is one that a newer daemon has. */
export type RunEndReason =
  | "exited"
  | "signaled"
  | "oom"
  | "timeout"
  | "aborted"
  | "ttl"
  | "lost"
  | "unknown";

/** How a run ended, and what it used. */
export interface End {
  readonly reason: RunEndReason;
  /** It exited by itself, with 0. */
  readonly ok: boolean;
  /** 0–255, when the process exited. */
  readonly exitCode?: number;
  /** Such as `SIGKILL`, when a signal ended it. */
  readonly signal?: string;
  readonly signalNumber?: number;
  readonly coreDumped: boolean;
  readonly endedAt: Date;
  readonly usage: RunUsage;
  /** Lines of output that could not be written to the log. */
  readonly linesDropped: bigint;
}

/** What every process of a run used together, as the kernel counted it. What the host cannot tell is absent. */
export interface RunUsage {
  readonly cpuTimeMs?: number;
  readonly cpuUserMs?: number;
  readonly cpuSystemMs?: number;
  /** How long the CPU quota held the cell back. */
  readonly cpuThrottledMs?: number;
  readonly memoryPeakBytes?: bigint;
  readonly oomKills?: number;
  readonly pidsPeak?: number;
}

export function readEnd(end: RunEnd): End {
  const reason = reasons[end.reason] ?? "unknown";
  return {
    reason,
    ok: reason === "exited" && end.exitCode === 0,
    ...dropAbsent({
      exitCode: end.exitCode,
      signal: end.signal === undefined ? undefined : nameSignal(end.signal),
      signalNumber: end.signal,
    }),
    coreDumped: end.coreDumped,
    endedAt: toDate(end.endedAtNs),
    usage: end.usage === undefined ? {} : readUsage(end.usage),
    linesDropped: end.linesDropped,
  };
}

const reasons: Readonly<Record<EndReason, RunEndReason>> = {
  [EndReason.UNSPECIFIED]: "unknown",
  [EndReason.EXITED]: "exited",
  [EndReason.SIGNALED]: "signaled",
  [EndReason.OOM]: "oom",
  [EndReason.TIMEOUT]: "timeout",
  [EndReason.ABORTED]: "aborted",
  [EndReason.TTL]: "ttl",
  [EndReason.LOST]: "lost",
};

function readUsage(usage: Usage): RunUsage {
  return dropAbsent({
    cpuTimeMs: toMs(usage.cpuTotalNs),
    cpuUserMs: toMs(usage.cpuUserNs),
    cpuSystemMs: toMs(usage.cpuSystemNs),
    cpuThrottledMs: toMs(usage.cpuThrottledNs),
    memoryPeakBytes: usage.memoryPeakBytes,
    oomKills: toNumber(usage.oomKills),
    pidsPeak: toNumber(usage.pidsPeak),
  });
}

/** Real-time signals have no names in Node: 34 is `SIG34`. */
function nameSignal(signal: number): string {
  const known = Object.entries(constants.signals).find(([, number]) => number === signal);
  return known?.[0] ?? `SIG${signal}`;
}

function toMs(ns: bigint | undefined): number | undefined {
  return ns === undefined ? undefined : Number(ns) / 1e6;
}

function toNumber(count: bigint | undefined): number | undefined {
  return count === undefined ? undefined : Number(count);
}
