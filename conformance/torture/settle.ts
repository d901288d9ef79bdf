import type { CellStatus } from "@aurae/api/runtime";
import { allOf } from "./kill-cell.ts";
import type { Unanswered } from "./perform.ts";
import type { World } from "./world.ts";

/**
 * Take what was not answered into the model, as it was done or not: both are right. That nothing else
 * came of it, and nothing half, is for the comparison to say.
 */
export function settle(
  world: World,
  unanswered: readonly Unanswered[],
  listed: readonly CellStatus[],
): void {
  const cells = new Map(allOf(listed).map((cell) => [cell.cell?.name ?? "", cell]));
  for (const operation of unanswered) settleOne(world, operation, cells);
}

function settleOne(
  { model, counts }: World,
  operation: Unanswered,
  listed: ReadonlyMap<string, CellStatus>,
): void {
  const cell = model.cells.get(operation.cell);
  const found = listed.get(operation.cell);
  switch (operation.kind) {
    case "allocate": {
      if (cell !== undefined || found === undefined) return;
      counts.cells += 1;
      return model.add(operation.cell);
    }
    case "free": {
      // Children are freed before their parent, each by itself.
      for (const { name } of model.withChildren(operation.cell))
        if (!listed.has(name)) model.cells.delete(name);
      return;
    }
    case "start": {
      const { executable, program } = operation;
      const latest = found?.executables.find((each) => each.executable?.name === executable);
      const known = cell?.latest.get(executable)?.run ?? 0;
      if (cell === undefined || latest === undefined || Number(latest.run) <= known) return;
      counts.runs += 1;
      const run = { run: Number(latest.run), pid: Number(latest.pid), executable, program };
      return model.started(cell, {
        ...run,
        ...{ isUnanswered: true, stop: "no", end: undefined, linesSeen: 0 },
      });
    }
    case "stop":
    case "wait":
    case "logs":
    case "list":
    case "killSupervisor":
    case "killInit":
      return;
    default:
      operation satisfies never;
  }
}
