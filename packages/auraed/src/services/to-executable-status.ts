import {
  EndReason,
  type ExecutableSchema,
  type ExecutableStatusSchema,
  type RunEndSchema,
  RunState,
} from "@aurae/api/runtime";
import type * as domain from "@aurae/domain/cells";
import type { MessageInitShape } from "@bufbuild/protobuf";

const reasons = {
  exited: EndReason.EXITED,
  signaled: EndReason.SIGNALED,
  oom: EndReason.OOM,
  timeout: EndReason.TIMEOUT,
  aborted: EndReason.ABORTED,
  ttl: EndReason.TTL,
  lost: EndReason.LOST,
} as const satisfies Record<domain.EndReason, EndReason>;

const states = {
  starting: RunState.STARTING,
  running: RunState.RUNNING,
  stopping: RunState.STOPPING,
  ended: RunState.ENDED,
  // Forgotten as soon as it is refused; a list that is faster than that sees it as it began.
  refused: RunState.STARTING,
} as const satisfies Record<domain.RunState["kind"], RunState>;

/** A run with what was asked for, as the wire tells it. */
export function toExecutableStatus(
  run: domain.Run,
  cell: domain.CellName,
): MessageInitShape<typeof ExecutableStatusSchema> {
  const { state } = run;
  const status = {
    executable: toExecutable(run.executable, cell),
    executableCut: run.executable.isCut,
    state: states[state.kind],
    run: BigInt(run.number),
  };
  if (!("pid" in state)) return status;
  const started = { ...status, pid: BigInt(state.pid), startedAtNs: state.startedAtNs };
  return state.kind === "ended" ? { ...started, end: toRunEnd(state.end) } : started;
}

/** How a run ended, as the wire tells it. */
export function toRunEnd(end: domain.RunEnd): MessageInitShape<typeof RunEndSchema> {
  return { ...end, reason: reasons[end.reason], usage: { ...end.usage } };
}

/** Without the environment, which is write-only: it is not even remembered. */
function toExecutable(
  shown: domain.ShownExecutable,
  cellName: domain.CellName,
): MessageInitShape<typeof ExecutableSchema> {
  return { ...shown, cellName, args: [...shown.args] };
}
