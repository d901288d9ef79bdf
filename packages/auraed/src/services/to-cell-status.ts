import {
  type CellSchema,
  CellState,
  type CellStatusSchema,
  type LimitsSchema,
} from "@aurae/api/runtime";
import * as domain from "@aurae/domain/cells";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { toExecutableStatus } from "./to-executable-status.ts";

const states = {
  unallocated: CellState.ALLOCATING,
  allocating: CellState.ALLOCATING,
  allocated: CellState.ALLOCATED,
  failed: CellState.FAILED,
  freeing: CellState.FREEING,
  freed: CellState.FREEING,
} as const satisfies Record<domain.CellState["kind"], CellState>;

/** A cell with its executables and its children, sorted, as the wire tells it. */
export function toCellStatus(
  cell: domain.Cell,
  cgroupV2: boolean,
): MessageInitShape<typeof CellStatusSchema> {
  const { state, name } = cell;
  const runs = [...cell.executables].sort(domain.byName).flatMap(({ latest }) => latest ?? []);
  return {
    cell: toCell(cell),
    state: states[state.kind],
    reason: "why" in state ? (state.why ?? "") : "",
    cgroupV2,
    executables: runs.map((run) => toExecutableStatus(run, name)),
    children: [...cell.children.values()]
      .sort(domain.byName)
      .map((child) => toCellStatus(child, cgroupV2)),
  };
}

function toCell({ name, spec }: domain.Cell): MessageInitShape<typeof CellSchema> {
  const { limits, shared, labels } = spec;
  return {
    name,
    cpuShares: BigInt(limits.cpuShares ?? 0),
    limits: toLimits(limits),
    isolation: {
      shareMount: shared.has("mount"),
      shareUts: shared.has("uts"),
      shareIpc: shared.has("ipc"),
      sharePid: shared.has("pid"),
      shareNetwork: shared.has("network"),
      shareCgroup: shared.has("cgroup"),
    },
    labels: Object.fromEntries(labels),
  };
}

function toLimits(limits: domain.Limits): MessageInitShape<typeof LimitsSchema> {
  const { cpuShares: _, cpuQuotaUs, cpuPeriodUs, ...same } = limits;
  return { ...same, cpuQuotaUs: toBigint(cpuQuotaUs), cpuPeriodUs: toBigint(cpuPeriodUs) };
}

function toBigint(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value);
}
