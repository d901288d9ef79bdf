import { existsSync, readFileSync } from "node:fs";
import { CellService, CellState, type CellStatus } from "@aurae/api/runtime";
import { cgroupsOf, parentOf } from "../host.ts";
import { finding } from "./findings.ts";
import type { CellModel, Killed } from "./model.ts";
import type { World } from "./world.ts";

/** Kill the supervisor or the init of a cell, as somebody on the host would; the daemon may be away. */
export async function killCell(
  world: World,
  victim: Killed,
  cell: CellModel | undefined,
): Promise<void> {
  const init = cell && initOf(world, cell.name);
  if (cell === undefined || cell.killed !== undefined || init === undefined) return;
  const { name } = cell;
  // Whoever made the init is its parent, also when it lives in another cell's namespaces.
  const pid = victim === "init" ? init : parentOf(init);
  // It has lost its supervisor just now, and belongs to whoever reaps.
  if (pid <= 1) return;
  process.kill(pid, "SIGKILL");
  world.model.kill(name, victim);
  world.counts.kills[victim] += 1;
  await told(world, name);
}

/** Until the daemon has seen it: what is asked before that may be answered either way. */
async function told(world: World, name: string): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  for (;;) {
    const { cells } = await world.client.call(CellService.method.list, {});
    const states = allOf(cells).filter(
      ({ cell }) => cell?.name === name || cell?.name.startsWith(`${name}/`),
    );
    if (states.every(({ state }) => state === CellState.FAILED)) return;
    if (signal.aborted) {
      world.findings.push(finding("wrongStatuses", `${name} was killed and has not failed`));
      return;
    }
  }
}

/** Cells, and the cells inside of them. */
export function allOf(cells: readonly CellStatus[]): readonly CellStatus[] {
  return cells.flatMap((cell) => [cell, ...allOf(cell.children)]);
}

/** The init of a cell sits in a cgroup of its own. */
function initOf({ daemon }: World, name: string): number | undefined {
  const [file] = cgroupsOf(daemon, name)
    .map((cgroup) => `${cgroup}/_init/cgroup.procs`)
    .filter(existsSync);
  const pid = file === undefined ? Number.NaN : Number(readFileSync(file, "utf8").trim());
  return pid > 0 ? pid : undefined;
}
