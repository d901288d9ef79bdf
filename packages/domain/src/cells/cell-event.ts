import type { CellName } from "./cell-name.ts";
import type { ExecutableName } from "./executable-spec.ts";
import type { Run } from "./run.ts";
import type { EndReason } from "./run-end.ts";

/** What has happened to a cell, for whoever watches the node: the domain does nothing with it. */
export type CellEvent = { readonly cell: CellName } & (
  | { readonly kind: "adopted"; readonly cellId: string; readonly runs: number }
  | { readonly kind: "allocated"; readonly cellId: string }
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "freeing"; readonly graceMs: number }
  | { readonly kind: "freed" }
  | (OfRun & { readonly kind: "started"; readonly pid: number })
  | (OfRun & { readonly kind: "stopping"; readonly graceMs: number })
  | (OfRun & {
      readonly kind: "ended";
      readonly reason: EndReason;
      readonly exitCode?: number;
      readonly signal?: number;
    })
);

interface OfRun {
  readonly executable: ExecutableName;
  readonly run: number;
}

/** Told of events in their order. It must not throw. */
export type CellObserver = (event: CellEvent) => void;

export const nobody: CellObserver = () => undefined;

/** Tell of a run when it has started and when it has ended. */
export function tellRun(cell: CellName, run: Run, observe: CellObserver): void {
  const of = { cell, executable: run.executable.name, run: run.number };
  run.settled.onOpen(() => {
    if ("pid" in run.state) observe({ ...of, kind: "started", pid: run.state.pid });
  });
  run.ended.onOpen(() => {
    if (run.state.kind !== "ended") return;
    const { reason, exitCode, signal } = run.state.end;
    const how = exitCode === undefined ? {} : { exitCode };
    observe({ ...of, kind: "ended", reason, ...how, ...(signal === undefined ? {} : { signal }) });
  });
}
