import { type GetSubProcessStreamRequest, LogChannelType, type Observe } from "@aurae/api/observe";
import { parseCellName, parseExecutableName, Violations } from "@aurae/domain/cells";
import type { Channel, LogHistory, LogQuery, LogSelector, Logs } from "@aurae/domain/observe";
import type { ServiceImpl } from "./service-impl.ts";
import { toLogItem, toRecordItems } from "./to-log-item.ts";

/** `observe.Observe`. A stream ends when its source does, or when the caller leaves. */
export function observeService(logs: Logs, history: LogHistory): ServiceImpl<typeof Observe> {
  return {
    async *getAuraeDaemonLogStream(request, { signal }) {
      const violations = new Violations();
      const query = readQuery(request, violations);
      violations.throwIfAny("read the daemon's log");
      for await (const record of history.read(query, signal)) yield* toRecordItems(record);
    },

    async *getSubProcessStream(request, { signal, about }) {
      const violations = new Violations();
      const selector = readSelector(request, violations);
      const channels = readChannels(request, violations);
      const query: LogQuery = { ...readQuery(request, violations), channels };
      violations.throwIfAny("read a log");
      // Undefined only with a violation, and that has been thrown.
      if (selector === undefined) return;
      const { key, cell, entries } = logs.open(selector, query, signal);
      about(cell === undefined ? key : { ...key, cell });
      for await (const entry of entries) yield toLogItem(entry, key.executable, channels);
    },
  };
}

/** Names a run either by its pid or by its names; neither and both are refused. */
function readSelector(
  request: GetSubProcessStreamRequest,
  violations: Violations,
): LogSelector | undefined {
  const { processId, cellName, executableName, run } = request;
  const named = cellName !== "" || executableName !== "";
  if (processId === 0n && !named) {
    const either = "must be given, or cell_name and executable_name instead";
    violations.add("process_id", "FIELD_REQUIRED", either);
    return undefined;
  }
  if (processId === 0n) {
    const cell = violations.take("cell_name", "CELL_NAME_INVALID", parseCellName(cellName));
    const parsed = parseExecutableName(executableName);
    const executable = violations.take("executable_name", "FIELD_INVALID", parsed);
    if (cell === undefined || executable === undefined) return undefined;
    return { kind: "name", cell, executable, run: run === undefined ? undefined : Number(run) };
  }
  if (named)
    violations.add(
      "process_id",
      "FIELD_INVALID",
      "must not come with cell_name or executable_name",
    );
  if (run !== undefined) violations.add("run", "FIELD_INVALID", "needs executable_name");
  if (processId < 0n) violations.add("process_id", "FIELD_INVALID", "must not be negative");
  return { kind: "pid", pid: Number(processId) };
}

function readChannels(
  { allChannels, channelType }: GetSubProcessStreamRequest,
  violations: Violations,
): ReadonlySet<Channel> {
  if (allChannels) return new Set<Channel>(["stdout", "stderr"]);
  if (channelType === LogChannelType.CHANNEL_STDOUT) return new Set<Channel>(["stdout"]);
  if (channelType === LogChannelType.CHANNEL_STDERR) return new Set<Channel>(["stderr"]);
  const known = "must be CHANNEL_STDOUT (0) or CHANNEL_STDERR (1)";
  violations.add("channel_type", "FIELD_INVALID", `${known}, not ${channelType}`);
  return new Set();
}

function readQuery(
  request: {
    readonly follow?: boolean | undefined;
    readonly sinceNs: bigint;
    readonly tail?: bigint | undefined;
  },
  violations: Violations,
): { readonly follow: boolean; readonly sinceNs: bigint; readonly tail: number | undefined } {
  const { follow = true, sinceNs, tail } = request;
  if (sinceNs < 0n) violations.add("since_ns", "FIELD_INVALID", "must not be negative");
  return { follow, sinceNs, tail: tail === undefined ? undefined : Number(tail) };
}
