import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupsOf, rootsOf } from "../host.ts";
import { type Finding, finding } from "./findings.ts";
import type { CellModel, RunModel } from "./model.ts";
import type { World } from "./world.ts";

/** What the machine has and the model has not: cgroups, processes, copies of what runs. */
export function strangersOf(world: World): readonly Finding[] {
  const cells = [...world.model.cells.values()];
  return [
    ...strangersAmongShims(world, cells),
    ...rootsOf(world.daemon).flatMap((root) => strayCgroups(world, root, "")),
    ...cells.flatMap((cell) =>
      [...cell.latest.values()].flatMap((run) => copies(world, cell, run)),
    ),
  ];
}

/** The launcher has the supervisors as children, and what a killed one left that nobody has reaped. */
function strangersAmongShims({ daemon }: World, cells: readonly CellModel[]): readonly Finding[] {
  const [root = ""] = rootsOf(daemon).filter((path) => existsSync(`${path}/_shim`));
  const shims = membersOf(`${root}/_shim`);
  const launchers = shims.filter((pid) => nameOf(pid) === "aurae-launcher");
  const children = launchers.flatMap(childrenOf);
  const zombies = children.filter(isZombie);
  const findings = zombies.map((pid) => finding("leaks", `${nameOf(pid)} ${pid} is a zombie`));
  const has = shims.length - launchers.length;
  const needs = cells.filter(({ killed }) => killed !== "supervisor").length;
  if (has === needs) return findings;
  return [...findings, finding("orphans", `${needs} cells have ${has} supervisors`)];
}

function childrenOf(pid: string): readonly string[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean);
}

function nameOf(pid: string): string {
  return read(`/proc/${pid}/comm`).trim();
}

function isZombie(pid: string): boolean {
  return /^State:\tZ/m.test(read(`/proc/${pid}/status`));
}

/** Directories of cells that are not there, in one hierarchy, and who sits in them. */
function strayCgroups(
  { model }: Pick<World, "model">,
  path: string,
  parent: string,
): readonly Finding[] {
  return directoriesIn(path).flatMap((entry) => {
    if (!entry.startsWith("c-")) return [];
    const name = `${parent}${entry.slice("c-".length)}`;
    const below = join(path, entry);
    const found = strayCgroups({ model }, below, `${name}/`);
    const cell = model.cells.get(name);
    if (cell !== undefined && cell.killed === undefined) return found;
    const inside = ["_init", ...directoriesIn(below).filter((each) => each.startsWith("x-"))];
    const pids = inside.flatMap((each) => membersOf(join(below, each)));
    const orphans = pids.map((pid) => finding("orphans", `${pid} runs in ${name}, which is gone`));
    if (cell !== undefined) return [...found, ...orphans];
    return [...found, ...orphans, finding("leaks", `${below} is there, and ${name} is not`)];
  });
}

/** More processes of a run than its program makes, or some after its end. */
function copies({ daemon }: World, cell: CellModel, run: RunModel): readonly Finding[] {
  const [cgroup = ""] = cgroupsOf(daemon, cell.name);
  const pids = membersOf(`${cgroup}/x-${run.executable}`);
  const what = `of run ${run.run} "${run.executable}" in ${cell.name}`;
  if (pids.length > run.program.processes)
    return [finding("doubled", `${pids.length} processes ${what} run`)];
  const isOver = run.end !== undefined && (run.stop === "done" || !run.program.leavesChildren);
  if (!isOver || pids.length === 0) return [];
  return [finding("orphans", `${pids.join()} ${what} run on after its end`)];
}

function directoriesIn(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return []; // It went while we looked.
  }
}

function membersOf(cgroup: string): readonly string[] {
  return read(`${cgroup}/cgroup.procs`).split("\n").filter(Boolean);
}

/** Nothing, of what is gone: a run has ended, and its cgroup with it. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
