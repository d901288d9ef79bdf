import {
  CellService,
  CellState,
  CellStateSchema,
  type CellStatus,
  type ExecutableStatus,
  RunStateSchema,
} from "@aurae/api/runtime";
import { type Finding, finding } from "./findings.ts";
import { allOf } from "./kill-cell.ts";
import { strangersOf } from "./machine.ts";
import { type CellModel, endsOf, mayRun, type RunModel } from "./model.ts";
import { nameOf, wordOf } from "./words.ts";
import type { World } from "./world.ts";

/** How what is listed and what the machine has differ from the model. */
export async function compare(world: World): Promise<readonly Finding[]> {
  const { cells } = await world.client.call(CellService.method.list, {});
  return [...compareCells(world, allOf(cells)), ...strangersOf(world)];
}

function compareCells({ model }: World, listed: readonly CellStatus[]): readonly Finding[] {
  const names = listed.map(({ cell }) => cell?.name ?? "");
  const findings: Finding[] = [];
  for (const [at, name] of names.entries()) {
    if (!model.cells.has(name))
      findings.push(finding("doubled", `${name} is listed, and was freed`));
    if (names.indexOf(name) !== at) findings.push(finding("doubled", `${name} is listed twice`));
  }
  for (const cell of model.cells.values()) {
    const found = listed[names.indexOf(cell.name)];
    if (found === undefined) findings.push(finding("lost", `${cell.name} is not listed`));
    else findings.push(...compareCell(cell, found));
  }
  return findings;
}

function compareCell(cell: CellModel, found: CellStatus): readonly Finding[] {
  const findings: Finding[] = [];
  const state = cell.killed === undefined ? CellState.ALLOCATED : CellState.FAILED;
  if (found.state !== state) {
    const text = `${cell.name} is ${nameOf(CellStateSchema, found.state)} (${found.reason}), not ${nameOf(CellStateSchema, state)}`;
    findings.push(finding("wrongStatuses", text));
  }
  for (const { executable, run } of found.executables) {
    if (cell.latest.has(executable?.name ?? "")) continue;
    const text = `run ${run} of "${executable?.name}" in ${cell.name} was not asked for`;
    findings.push(finding("doubled", text));
  }
  for (const run of cell.latest.values()) {
    const name = run.executable;
    const status = found.executables.find(({ executable }) => executable?.name === name);
    findings.push(...compareRun(cell, run, status));
  }
  return findings;
}

function compareRun(
  cell: CellModel,
  run: RunModel,
  found: ExecutableStatus | undefined,
): readonly Finding[] {
  const what = `run ${run.run} "${run.executable}" in ${cell.name}`;
  if (found === undefined) return [finding("lost", `${what} is not listed`)];
  if (Number(found.run) !== run.run)
    return [finding("doubled", `${what} is listed as run ${found.run}`)];
  if (Number(found.pid) !== run.pid)
    return [finding("wrongStatuses", `${what} has the pid ${found.pid}, not ${run.pid}`)];
  if (found.end === undefined) {
    if (mayRun(run, cell.killed)) return [];
    return [
      finding("wrongStatuses", `${what} is ${nameOf(RunStateSchema, found.state)}, and has ended`),
    ];
  }
  const word = wordOf(found.end);
  const ends = endsOf(run, cell.killed);
  if (!ends.has(word)) {
    const text = `${what} ended ${word}, and may end ${[...ends].join(" or ")}`;
    return [finding("wrongStatuses", text)];
  }
  run.end = word;
  return [];
}
