import { type LogItem, Observe } from "@aurae/api/observe";
import { LineCheck, type LineCount } from "../writer/line-check.ts";
import { finding } from "./findings.ts";
import { type CellModel, mayRun, type RunModel } from "./model.ts";
import type { World } from "./world.ts";

/** Read the whole log of a run of a numbered writer, and say what of it is lost or doubled. */
export async function checkLog(
  world: World,
  cell: CellModel,
  run: RunModel,
  place: "there" | "freed" = "there",
): Promise<void> {
  if (run.program.lines === undefined) return;
  // What may run writes on; of what is over, the stream ends when the log is complete.
  const follow = place === "freed" || !mayRun(run, cell.killed);
  const check = new LineCheck();
  const stream = world.client.open(Observe.method.getSubProcessStream, {
    ...{ cellName: cell.name, executableName: run.executable, run: BigInt(run.run) },
    ...{ allChannels: true, follow },
  });
  for await (const item of stream as AsyncIterable<LogItem>) check.take(item);
  const { count } = check;
  world.counts.lines += Math.max(0, count.lines - run.linesSeen);
  judge(world, cell, run, count);
  run.linesSeen = Math.max(run.linesSeen, count.lines);
}

function judge(world: World, cell: CellModel, run: RunModel, count: LineCount): void {
  const { lines, lost, doubled, foreign, ended } = count;
  const { program, linesSeen } = run;
  const missing = missingOf(run, count);
  const what = `of run ${run.run} "${run.executable}" in ${cell.name}`;
  const told = `${lines} lines, ${ended} ends, ${linesSeen} seen before, ${program.lines} to be written, run ${run.end ?? "goes on"}`;
  if (lost + missing > 0)
    world.findings.push(finding("lostLines", `${lost + missing} lines ${what} are lost: ${told}`));
  if (doubled + foreign > 0) {
    const text = `${doubled} lines ${what} are doubled and ${foreign} foreign: ${told}`;
    world.findings.push(finding("doubledLines", text));
  }
}

/** Lines that were there once, or that a writer which came to its own end has written. */
function missingOf({ program, linesSeen, end }: RunModel, { lines, ended }: LineCount): number {
  const unseen = Math.max(0, linesSeen - lines);
  if (program.lines === undefined || program.end === undefined || end !== program.end)
    return unseen;
  return Math.max(unseen, 2 * program.lines - lines, 2 - ended);
}
