import type { CellService } from "@aurae/api/runtime";
import {
  type Cells,
  parseCell,
  parseCellName,
  parseExecutable,
  parseExecutableName,
  parseGrace,
  Violations,
} from "@aurae/domain/cells";
import { failpoint } from "@aurae/domain/failpoints";
import type { ServiceImpl } from "./service-impl.ts";
import { toCellStatus } from "./to-cell-status.ts";
import { toExecutableStatus, toRunEnd } from "./to-executable-status.ts";

/** `runtime.CellService`: read the request, ask the domain, write the answer. */
export function cellService(cells: Cells): ServiceImpl<typeof CellService> {
  return {
    async allocate(request, { signal }) {
      const { name, spec } = parseCell(request.cell);
      failpoint("allocate.0.decoded");
      const cell = await cells.allocate(name, spec, signal);
      return { cellName: cell.name, cgroupV2: cells.cgroupV2 };
    },

    async free(request, { signal }) {
      const violations = new Violations();
      const name = takeCellName(request.cellName, violations);
      const graceMs = parseGrace("grace_ms", request.graceMs, violations);
      violations.throwIfAny("free cell");
      failpoint("free.0.decoded");
      await cells.free(required(name), graceMs, signal);
      return {};
    },

    async start(request, { signal }) {
      const { cell, spec } = parseExecutable(request.executable);
      failpoint("start.0.decoded");
      const { pid, run } = await cells.start(cell, spec, signal);
      return { pid: BigInt(pid), run: BigInt(run) };
    },

    async stop(request, { signal }) {
      const violations = new Violations();
      const name = takeCellName(request.cellName, violations);
      const executable = takeExecutableName(request.executableName, violations);
      const graceMs = parseGrace("grace_ms", request.graceMs, violations);
      violations.throwIfAny("stop executable");
      failpoint("stop.0.decoded");
      const end = await cells.stop(required(name), required(executable), graceMs, signal);
      return { end: toRunEnd(end) };
    },

    async list(request) {
      const violations = new Violations();
      const name = request.cellName === "" ? undefined : takeCellName(request.cellName, violations);
      violations.throwIfAny("list cells");
      return { cells: cells.list(name).map((cell) => toCellStatus(cell, cells.cgroupV2)) };
    },

    async wait(request, { signal }) {
      const violations = new Violations();
      const name = takeCellName(request.cellName, violations);
      const one = request.executableName !== "";
      const executable = one ? takeExecutableName(request.executableName, violations) : undefined;
      if (!one && request.run !== undefined)
        violations.add("run", "FIELD_INVALID", "needs executable_name");
      violations.throwIfAny("wait");
      const run = request.run === undefined ? undefined : Number(request.run);
      const ended = await cells.wait(required(name), executable, run, signal);
      return { executables: ended.map((each) => toExecutableStatus(each, required(name))) };
    },
  };
}

function takeCellName(text: string, violations: Violations) {
  return violations.take("cell_name", "CELL_NAME_INVALID", parseCellName(text));
}

function takeExecutableName(text: string, violations: Violations) {
  return violations.take("executable_name", "FIELD_INVALID", parseExecutableName(text));
}

/** What is undefined only when a violation was noted, and that has been thrown by now. */
function required<T>(parsed: T | undefined): T {
  if (parsed === undefined) throw new TypeError("Cannot go on: a field that was refused is used");
  return parsed;
}
