import { CellService, type RunEnd } from "@aurae/api/runtime";
import { type ServiceError, status } from "@grpc/grpc-js";
import { finding } from "./findings.ts";
import { killCell } from "./kill-cell.ts";
import { checkLog } from "./logs.ts";
import { type CellModel, endsOf, mayRun, type RunModel } from "./model.ts";
import type { Operation } from "./operation.ts";
import { wordOf } from "./words.ts";
import type { World } from "./world.ts";

const { allocate, free, list, start, stop, wait } = CellService.method;

/** An operation that was not answered: it was done, or it was not. */
export type Unanswered = Operation;

/** Do it, and take what is answered into the model. @returns itself when nobody answered */
export async function perform(world: World, operation: Operation): Promise<Unanswered | undefined> {
  const { steps, daemon } = world;
  const step = describe(operation);
  try {
    await ask(world, operation);
    steps.push(step);
    return undefined;
  } catch (cause) {
    const { code, details } = cause as ServiceError;
    if (code === undefined) throw cause;
    steps.push(`${step}: ${status[code]} ${details}`);
    if (!daemon.isRunning() || (await isDying(world, code))) return operation;
    complain(world, operation, `is answered ${status[code]}: ${details}`);
    return undefined;
  }
}

function describe(operation: Operation): string {
  const { kind, cell } = operation;
  const executable = "executable" in operation ? ` ${operation.executable}` : "";
  const program = "program" in operation ? ` (${operation.program.command})` : "";
  return `${kind} ${cell}${executable}${program}`;
}

/** Its connection ends a moment before its exit is told. */
async function isDying(world: World, code: status): Promise<boolean> {
  if (code !== status.UNAVAILABLE && code !== status.CANCELLED && code !== status.INTERNAL)
    return false;
  const soon = new Promise((resolve) =>
    AbortSignal.timeout(500).addEventListener("abort", resolve),
  );
  await Promise.race([world.daemon.ended, soon]);
  return !world.daemon.isRunning();
}

async function ask(world: World, operation: Operation): Promise<void> {
  const { client, model } = world;
  const cell = model.cells.get(operation.cell);
  const cellName = operation.cell;
  switch (operation.kind) {
    case "allocate": {
      const isMade = await expect(world, operation, codesOfAllocate(world, cellName), () =>
        client.call(allocate, { cell: { name: cellName } }),
      );
      if (isMade === undefined) return;
      world.counts.cells += 1;
      model.add(cellName);
      return;
    }
    case "free": {
      const { graceMs } = operation;
      const codes = [cell === undefined ? status.NOT_FOUND : status.OK];
      const isFreed = await expect(world, operation, codes, () =>
        client.call(free, { cellName, graceMs }),
      );
      if (isFreed !== undefined) await checkFreed(world, model.remove(cellName));
      return;
    }
    case "start":
      return await askStart(world, operation, cell);
    case "stop":
      return await askStop(world, operation, cell);
    case "wait": {
      const run = cell?.latest.get(operation.executable);
      const codes = [run === undefined ? status.NOT_FOUND : status.OK];
      const one = { cellName, executableName: operation.executable };
      // Some never end; and a busy machine answers nothing in time.
      const late = [...codes, status.DEADLINE_EXCEEDED];
      const answer = await expect(world, operation, late, () => client.call(wait, one, 200));
      takeEnd(world, cell, run, answer?.executables[0]?.end);
      return;
    }
    case "logs": {
      const run = cell?.latest.get(operation.executable);
      if (cell !== undefined && run !== undefined) await checkLog(world, cell, run);
      return;
    }
    case "list":
      await client.call(list, {});
      return;
    case "killSupervisor":
    case "killInit":
      return await killCell(world, operation.kind === "killInit" ? "init" : "supervisor", cell);
    default:
      operation satisfies never;
  }
}

function codesOfAllocate({ model }: World, name: string): readonly status[] {
  if (model.cells.has(name)) return [status.ALREADY_EXISTS];
  const parent = name.split("/").slice(0, -1).join("/");
  if (parent === "") return [status.OK];
  const found = model.cells.get(parent);
  if (found === undefined) return [status.NOT_FOUND];
  return [found.killed === undefined ? status.OK : status.FAILED_PRECONDITION];
}

async function askStart(
  world: World,
  operation: Operation & { readonly kind: "start" },
  cell: CellModel | undefined,
): Promise<void> {
  const { executable: name, program, cell: cellName } = operation;
  const { command, args } = program;
  const executable = { name, cellName, command, args: [...args] };
  const before = cell?.latest.get(name);
  const codes = codesOfStart(cell, before);
  const answer = await expect(world, operation, codes, () =>
    world.client.call(start, { executable }),
  );
  if (answer === undefined || cell === undefined) return;
  world.counts.runs += 1;
  const run = { run: Number(answer.run), pid: Number(answer.pid), executable: name, program };
  world.model.started(cell, {
    ...run,
    ...{ isUnanswered: false, stop: "no", end: undefined, linesSeen: 0 },
  });
}

function codesOfStart(
  cell: CellModel | undefined,
  before: RunModel | undefined,
): readonly status[] {
  if (cell === undefined) return [status.NOT_FOUND];
  if (cell.killed !== undefined) return [status.FAILED_PRECONDITION];
  if (before === undefined || before.stop === "done") return [status.OK];
  const { end, leavesChildren } = before.program;
  const isOver = before.end !== undefined && !leavesChildren;
  // Its tree may be alive a moment longer than it.
  if (isOver) return [status.OK, status.FAILED_PRECONDITION];
  const isFor = end === undefined && before.stop === "no" && !before.isUnanswered;
  if (isFor) return [status.ALREADY_EXISTS];
  return [status.OK, status.ALREADY_EXISTS, status.FAILED_PRECONDITION];
}

async function askStop(
  world: World,
  operation: Operation & { readonly kind: "stop" },
  cell: CellModel | undefined,
): Promise<void> {
  const { cell: cellName, executable, graceMs } = operation;
  const run = cell?.latest.get(executable);
  const codes = [run === undefined ? status.NOT_FOUND : status.OK];
  const answer = await expect(world, operation, codes, () => {
    if (run !== undefined && run.stop === "no") run.stop = "maybe";
    return world.client.call(stop, { cellName, executableName: executable, graceMs });
  });
  takeEnd(world, cell, run, answer?.end);
  if (answer !== undefined && run !== undefined) run.stop = "done";
}

/** Take how a run ended, or complain that it cannot have ended so. */
export function takeEnd(
  world: World,
  cell: CellModel | undefined,
  run: RunModel | undefined,
  end: RunEnd | undefined,
): void {
  if (cell === undefined || run === undefined || end === undefined) return;
  const word = wordOf(end);
  const ends = endsOf(run, cell.killed);
  if (!ends.has(word)) {
    const text = `run ${run.run} "${run.executable}" in ${cell.name} ended ${word}, and may end ${[...ends].join(" or ")}`;
    world.findings.push(finding("wrongStatuses", text));
  }
  run.end = word;
}

/** The logs of what was freed are kept. */
async function checkFreed(world: World, cells: readonly CellModel[]): Promise<void> {
  for (const cell of cells)
    for (const run of cell.runs) {
      if (mayRun(run, cell.killed)) run.stop = "maybe";
      await checkLog(world, cell, run, "freed");
    }
}

/** Call, and complain about an answer that cannot be. @returns the response when it is OK */
async function expect<Response>(
  world: World,
  operation: Operation,
  codes: readonly status[],
  call: () => Promise<Response>,
): Promise<Response | undefined> {
  try {
    const response = await call();
    if (!codes.includes(status.OK)) complain(world, operation, "is answered OK");
    return response;
  } catch (cause) {
    const { code, details } = cause as ServiceError;
    if (!codes.includes(code)) throw cause;
    world.steps.push(`${describe(operation)} may be refused: ${details}`);
    return undefined;
  }
}

function complain(world: World, operation: Operation, what: string): void {
  world.findings.push(finding("wrongAnswers", `${describe(operation)} ${what}`));
}
