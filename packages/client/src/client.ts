export {
  CellHandle,
  CellRef,
  type ExecutableSpec,
  type GraceOptions,
  type Started,
} from "./cell.ts";
export type { CellInfo, ExecutableInfo } from "./cell-info.ts";
export { type CellSpec, Cells } from "./cells.ts";
export {
  type ConfigSources,
  type ConnectionOptions,
  configPaths,
  defaultConnection,
  type GivenConnection,
  resolveConnection,
} from "./config.ts";
export { type ConnectOptions, connect } from "./connect.ts";
export { type Duration, parseDuration } from "./duration.ts";
export {
  type AuraeCode,
  AuraeError,
  clientDomain,
  Denied,
  type ErrorDetails,
  Exists,
  Invalid,
  Limit,
  NotFound,
  Timeout,
  Unavailable,
  type Violation,
} from "./errors.ts";
export {
  type CellLimits,
  type HeldLimits,
  type MemoryLimits,
  type Shareable,
  shareables,
} from "./limits.ts";
export type { LogItem, LogOptions, LogSource } from "./logs.ts";
export { Node, type Rpc } from "./node.ts";
export type { CallOptions, ChangeOptions, RpcClient } from "./rpc.ts";
export type { End, RunEndReason, RunUsage } from "./run-end.ts";
export { parseSize, type Size } from "./size.ts";
