import { Failure } from "../errors.ts";
import type { Gate } from "../gate.ts";
import type { CellName } from "./cell-name.ts";
import type { Ending } from "./ending.ts";
import type { Enclosure } from "./host.ts";

/** Each state holds exactly what is true in it, so a freed cell has no enclosure to misuse. */
export type CellState =
  | { readonly kind: "unallocated" }
  | { readonly kind: "allocating"; readonly settled: Gate }
  | { readonly kind: "allocated"; readonly enclosure: Enclosure }
  | { readonly kind: "failed"; readonly enclosure: Enclosure; readonly why: string }
  | {
      readonly kind: "freeing";
      readonly enclosure: Enclosure;
      readonly ending: Ending;
      readonly done: Promise<void>;
      readonly why?: string;
    }
  | { readonly kind: "freed" };

/** The failure of what the state of a cell does not allow: `action` is what was asked for. */
export function cannot(
  action: string,
  { name, state }: { readonly name: CellName; readonly state: CellState },
): Failure {
  const why = state.kind === "failed" ? `it has failed: ${state.why}` : `it is ${state.kind}`;
  return new Failure(
    "wrong-state",
    state.kind === "failed" ? "CELL_FAILED" : "CELL_STATE",
    `Cannot ${action} cell "${name}": ${why}`,
    { metadata: { cell: name } },
  );
}
