export { Gate } from "./gate.ts";
export { type HistoryQuery, LogHistory, type LogRecord } from "./observe/log-history.ts";
export type {
  Channel,
  LogEntry,
  LoggedRun,
  LogKey,
  LogQuery,
  LogStore,
} from "./observe/log-store.ts";
export { type LogSelector, Logs } from "./observe/logs.ts";
