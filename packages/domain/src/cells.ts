export { Cell } from "./cells/cell.ts";
export type { CellEvent, CellObserver } from "./cells/cell-event.ts";
export { type CellName, leafOf, parentOf, parseCellName } from "./cells/cell-name.ts";
export type { CellSpec } from "./cells/cell-spec.ts";
export type { CellState } from "./cells/cell-state.ts";
export { byName, Cells } from "./cells/cells.ts";
export {
  type ExecutableName,
  type ExecutableSpec,
  toArgv,
  toEnvironment,
} from "./cells/executable-spec.ts";
export { parseGrace } from "./cells/grace.ts";
export type {
  AdoptedCell,
  AdoptedRun,
  CellHost,
  EncloseRequest,
  Enclosure,
  EnclosureWatcher,
  MarkedStop,
  RunReport,
  StartedRun,
} from "./cells/host.ts";
export { type NamespaceKind, namespaceKinds, type Shared } from "./cells/isolation.ts";
export type { Limits } from "./cells/limits.ts";
export { parseCell, type RawCell } from "./cells/parse-cell.ts";
export {
  parseExecutable,
  parseExecutableName,
  type RawExecutable,
} from "./cells/parse-executable.ts";
export type { Run, RunState } from "./cells/run.ts";
export type { EndReason, RunEnd, Usage } from "./cells/run-end.ts";
export type { ShownExecutable } from "./cells/shown-executable.ts";
export type { Answer } from "./requests/answer.ts";
export { parseRequestId, type RequestMark } from "./requests/request-mark.ts";
export {
  type RememberedAnswer,
  type RequestMemory,
  rememberedAnswers,
} from "./requests/request-memory.ts";
export { Violations } from "./violations.ts";
