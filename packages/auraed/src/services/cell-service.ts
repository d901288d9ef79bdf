import { CellService } from "@aurae/api/runtime";
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
import { readMark } from "./request-mark.ts";
import type { ServiceImpl } from "./service-impl.ts";
import { toCellStatus } from "./to-cell-status.ts";
import { toExecutableStatus, toRunEnd } from "./to-executable-status.ts";

const { method } = CellService;

/** `runtime.CellService`: read the request, ask the domain, write the answer. */
export function cellService(cells: Cells): ServiceImpl<typeof CellService> {
  return {
    async allocate(request, { identity, signal }) {
      const { name, spec } = parseCell(request.cell);
      failpoint("allocate.0.decoded");
      const mark = readMark(method.allocate, request, identity);
      async function allocate() {
        await cells.allocate(name, spec, signal, mark);
        return { kind: "allocated" } as const;
      }
      await cells.requests.once("allocated", mark, allocate, signal);
      return { cellName: name, cgroupV2: cells.cgroupV2 };
    },

    async free(request, { identity, signal }) {
      const violations = new Violations();
      const name = takeCellName(request.cellName, violations);
      const graceMs = parseGrace("grace_ms", request.graceMs, violations);
      violations.throwIfAny("free cell");
      failpoint("free.0.decoded");
      const mark = readMark(method.free, request, identity);
      async function free() {
        await cells.free(required(name), graceMs, signal, mark);
        return { kind: "freed" } as const;
      }
      await cells.requests.once("freed", mark, free, signal);
      return {};
    },

    async start(request, { identity, signal }) {
      const { cell, spec } = parseExecutable(request.executable);
      failpoint("start.0.decoded");
      const mark = readMark(method.start, request, identity);
      async function start() {
        return { kind: "started", ...(await cells.start(cell, spec, signal, mark)) } as const;
      }
      const { pid, run } = await cells.requests.once("started", mark, start, signal);
      return { pid: BigInt(pid), run: BigInt(run) };
    },

    async stop(request, { identity, signal }) {
      const violations = new Violations();
      const name = takeCellName(request.cellName, violations);
      const executable = takeExecutableName(request.executableName, violations);
      const graceMs = parseGrace("grace_ms", request.graceMs, violations);
      violations.throwIfAny("stop executable");
      failpoint("stop.0.decoded");
      const mark = readMark(method.stop, request, identity);
      async function stop() {
        const end = await cells.stop(required(name), required(executable), graceMs, signal, mark);
        return { kind: "stopped", end } as const;
      }
      const { end } = await cells.requests.once("stopped", mark, stop, signal);
      return { end: toRunEnd(end) };
    },

    async list(request) {
      const violations = new Violations();
      const name = request.cellName === "" ? undefined : takeCellName(request.cellName, violations);
      violations.throwIfAny("list cells");
      // Of one cell the kernel is asked; of all that would be thousands of files to read.
      const changedLimits = name === undefined ? [] : cells.get(name).changedLimits();
      const listed = cells.list(name).map((cell) => toCellStatus(cell, cells.cgroupV2));
      return { cells: listed.map((cell) => ({ ...cell, changedLimits: [...changedLimits] })) };
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
