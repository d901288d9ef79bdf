import { Violations } from "../violations.ts";
import { type CellName, parseCellName } from "./cell-name.ts";
import type { CellSpec } from "./cell-spec.ts";
import { type NamespaceKind, namespaceKinds, type Shared } from "./isolation.ts";
import { parseLabels } from "./labels.ts";
import { parseLimits, type RawLimits } from "./parse-limits.ts";

/** A cell as it comes from outside: `runtime.Cell` of the wire fits. */
export interface RawCell {
  readonly name: string;
  readonly cpuShares: bigint;
  readonly limits?: RawLimits | undefined;
  readonly isolation?: Readonly<Record<`share${Capitalize<NamespaceKind>}`, boolean>> | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** The cell asked for. @throws Failure `invalid` with all that is wrong, each under `cell.…` */
export function parseCell(raw: RawCell | undefined): {
  readonly name: CellName;
  readonly spec: CellSpec;
} {
  const violations = new Violations();
  if (raw === undefined) violations.add("cell", "FIELD_REQUIRED", "must be given");
  const cell = raw ?? { name: "missing", cpuShares: 0n, labels: {} };
  const name = violations.take("cell.name", "CELL_NAME_INVALID", parseCellName(cell.name));
  const limits = parseLimits(cell.cpuShares, cell.limits, "cell", violations);
  const shared = parseShared(cell, violations);
  const labels = parseLabels(cell.labels, "cell.labels", violations);
  violations.throwIfAny("allocate cell");
  return { name: name as CellName, spec: { limits, shared, labels } };
}

/** A name that stands alone in a request. @throws Failure `invalid` */
export function parseNameField(field: string, text: string, action: string): CellName {
  const violations = new Violations();
  const name = violations.take(field, "CELL_NAME_INVALID", parseCellName(text));
  violations.throwIfAny(action);
  return name as CellName;
}

function parseShared({ isolation }: RawCell, violations: Violations): Shared {
  const fields = isolation as Readonly<Record<string, unknown>> | undefined;
  const shared = new Set(namespaceKinds.filter((kind) => fields?.[toField(kind)] === true));
  if (shared.has("mount") && !shared.has("pid")) {
    violations.add(
      "cell.isolation.share_mount",
      "FIELD_INVALID",
      "needs cell.isolation.share_pid: /proc would show the wrong processes",
    );
  }
  return shared;
}

function toField(kind: NamespaceKind): string {
  return `share${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
}
