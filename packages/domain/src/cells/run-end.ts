/** Why a run ended; the first cause wins. */
export type EndReason = "exited" | "signaled" | "oom" | "timeout" | "aborted" | "ttl" | "lost";

/** How a run ended, as its supervisor saw it. Of a lost run neither code nor signal is known. */
export interface RunEnd {
  readonly reason: EndReason;
  /** 0–255. */
  readonly exitCode?: number;
  /** 1–64. */
  readonly signal?: number;
  readonly coreDumped: boolean;
  /** Nanoseconds since the UNIX epoch. */
  readonly endedAtNs: bigint;
  readonly usage: Usage;
  /** Lines of output that could not be written to the log. */
  readonly linesDropped: bigint;
}

/** What every process of a run used together. What the host cannot tell is absent, not zero. */
export interface Usage {
  readonly cpuUserNs?: bigint;
  readonly cpuSystemNs?: bigint;
  readonly cpuTotalNs?: bigint;
  readonly memoryPeakBytes?: bigint;
  readonly oomKills?: bigint;
  readonly pidsPeak?: bigint;
  readonly cpuThrottledNs?: bigint;
}
