import type { Shared } from "./isolation.ts";
import type { Limits } from "./limits.ts";

/** All that was asked for when a cell was allocated, but its name. */
export interface CellSpec {
  readonly limits: Limits;
  readonly shared: Shared;
  readonly labels: ReadonlyMap<string, string>;
}
