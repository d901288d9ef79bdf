/**
 * The steps of the four mutations at which a crash is told apart, in the order in which they are
 * reached. The numbers are those of the fault table, whose order is not everywhere ours; the steps
 * that the daemon does not take itself are its shim's.
 */
export const crashSteps = [
  "allocate.0.decoded",
  "allocate.1.intent",
  "allocate.2.cgroups",
  "allocate.3.limits",
  "allocate.4.supervisor",
  "allocate.5.identity",
  "allocate.6.ready",
  "allocate.7.committed",
  "allocate.8.replied",

  "start.0.decoded",
  "start.1.intent",
  "start.3.sent",
  "start.2.pipes",
  "start.4.cloned",
  "start.5.executed",
  "start.6.recorded",
  "start.7.replied",

  "stop.0.decoded",
  "stop.1.intent",
  "stop.2.signaled",
  "stop.3.grace",
  "stop.4.killed",
  "stop.5.recorded",
  "stop.6.drained",
  "stop.7.committed",
  "stop.8.replied",

  "free.0.decoded",
  "free.1.intent",
  "free.2.refusing",
  "free.3.killed",
  "free.4.empty",
  "free.6.mounts",
  "free.7.cgroups",
  "free.9.state",
  "free.8.logs",
  "free.5.supervisor",
  "free.10.replied",
] as const;

export type CrashStep = (typeof crashSteps)[number];

/** The steps of these that the shim takes: its points have the same names. */
export const shimSteps = [
  "start.2.pipes",
  "start.4.cloned",
  "start.5.executed",
  "stop.2.signaled",
  "stop.3.grace",
  "stop.4.killed",
  "stop.5.recorded",
  "stop.6.drained",
  "free.3.killed",
  "free.4.empty",
] as const;

/** What a daemon passes when it starts and finds a cell. */
export const recoverySteps = [
  "recover.1.found",
  "recover.2.met",
  "recover.3.dropped",
  "recover.4.rolled",
  "recover.5.taken",
] as const;

/** Where the daemon can be made to crash, in the test build alone; see docs/failpoints.md. */
export type FailpointName =
  | Exclude<CrashStep, (typeof shimSteps)[number]>
  | (typeof recoverySteps)[number];
