import type { AdoptedCell } from "@aurae/domain/cells";
import { failpoint } from "@aurae/domain/failpoints";
import { readRuns } from "./adopted-runs.ts";
import type { CellFile } from "./cell-file.ts";
import { isDoneWithin } from "./deadline.ts";
import { LinuxEnclosure } from "./enclosure.ts";
import { describeSilence } from "./enclosure-failure.ts";
import type { EnclosureParts } from "./enclosure-parts.ts";
import { inWords } from "./errno.ts";
import { type FindOptions, type FoundCell, findCells } from "./found-cells.ts";
import { noteAnswers } from "./requests/adopted-answers.ts";
import type { RequestLog } from "./requests/request-log.ts";
import { type Found, Supervisor, type SupervisorAddress } from "./shim/supervisor.ts";
import { dropUnfinishedStarts } from "./unfinished-starts.ts";

export interface AdoptionOptions extends FindOptions {
  readonly requests: RequestLog;
  /** How long one cell that has to end may keep us; it goes on ending after that. */
  readonly endTimeoutMs: number;
  readonly partsOf: (id: string, file: CellFile) => EnclosureParts;
  readonly addressOf: (parts: EnclosureParts, enclosure: LinuxEnclosure) => SupervisorAddress;
}

/**
 * Find the cells that an earlier daemon left, parents before their children. What it had begun is
 * undone, what it had begun to free is freed; what cannot be read is left alone, with a word.
 *
 *     not committed       roll back; when that fails or hangs, adopt as failed
 *     ending              roll forward, what is inside first; the same
 *     its supervisor answers        adopt: it knows the truth
 *       but its cgroups are gone    have it end what is left, adopt as failed
 *     nobody listens there          kill what is left, adopt as failed
 *     anything else                 touch nothing, adopt as failed: it may be our own fault
 */
export async function adoptCells(options: AdoptionOptions): Promise<readonly AdoptedCell[]> {
  const found = await findCells(options);
  failpoint("recover.1.found");
  // All at once: one that hangs costs its deadline, and not the others theirs.
  const met = (await Promise.all(found.map((cell) => meet(options, cell)))).flat();
  failpoint("recover.2.met");
  const ending = met.filter((cell) => isEnding(cell, options.warn)).map(({ file }) => file.name);
  const adopted: AdoptedCell[] = [];
  // Children first when something has to go, parents first when they are told of.
  for (const cell of met.toReversed()) {
    try {
      const kept = await settle(options, cell, isWithinAny(cell.file.name, ending));
      if (kept !== undefined) adopted.unshift(kept);
    } catch (cause) {
      options.warn(`Cannot take over cell "${cell.file.name}": ${inWords(cause)}`);
    }
  }
  return adopted;
}

interface MetCell extends FoundCell {
  readonly parts: EnclosureParts;
  readonly enclosure: LinuxEnclosure;
  readonly answer: Found;
}

async function meet(options: AdoptionOptions, cell: FoundCell): Promise<readonly MetCell[]> {
  try {
    const parts = options.partsOf(cell.id, cell.file);
    const enclosure = new LinuxEnclosure(parts);
    const address = options.addressOf(parts, enclosure);
    const answer = await Supervisor.find(address, (supervisor, { init, runs }) =>
      enclosure.serve(supervisor, init, runs),
    );
    return [{ ...cell, parts, enclosure, answer }];
  } catch (cause) {
    options.catalog.cellUnknown(cell.id);
    options.warn(`Cannot take over cell "${cell.file.name}": ${inWords(cause)}`);
    return [];
  }
}

async function settle(
  options: AdoptionOptions,
  cell: MetCell,
  isToEnd: boolean,
): Promise<AdoptedCell | undefined> {
  const { id, file, isCommitted, enclosure, answer } = cell;
  const { catalog, directory } = cell.parts;
  catalog.cellAdopted(id, file.name);
  const dropping = dropUnfinishedStarts(directory, answer, options.warn);
  await isDoneWithin(options.endTimeoutMs, dropping);
  failpoint("recover.3.dropped");
  const open = answer.kind === "answers" ? answer.state.runs : [];
  const runs = readRuns(directory, { supervisor: answer.kind, open }, options.warn);
  if (answer.kind === "silent") enclosure.serve(answer.supervisor, undefined, runs.open);
  const marked = { directory, file, runs: runs.known };
  const known = isCommitted ? noteAnswers(marked, options.requests, options.warn) : runs.known;
  const isUnwanted = !isCommitted || isToEnd;
  const unended = isUnwanted ? await rollOn(options, cell) : undefined;
  failpoint("recover.4.rolled");
  if (isUnwanted && unended === undefined) return undefined;
  const failed = unended ?? whyFailed(cell);
  if (failed !== undefined) enclosure.markFailed(failed);
  await takeOver(options, cell);
  failpoint("recover.5.taken");
  for (const { report } of runs.known) {
    // Without a pid there was a record that could not be read: the catalog knows better.
    if (report.pid !== 0) catalog.runFound(id, report, report.end === undefined);
  }
  for (const run of runs.forgotten) catalog.runForgotten(id, run, false);
  const common = { name: file.name, spec: file.spec, enclosure, runs: known };
  return failed === undefined ? common : { ...common, failed };
}

/** What somebody else put there in its place asks for nothing. */
function isEnding({ parts }: MetCell, warn: (message: string) => void): boolean {
  try {
    return parts.directory.isEnding;
  } catch (cause) {
    warn(inWords(cause));
    return false;
  }
}

/** Whether a cell is one of those, or inside of one. */
function isWithinAny(name: string, others: readonly string[]): boolean {
  return others.some((other) => name === other || name.startsWith(`${other}/`));
}

/** End what was begun to be ended, or made and not finished. @returns why it is there all the same */
async function rollOn(
  { catalog, endTimeoutMs, warn }: AdoptionOptions,
  { id, file, isCommitted, enclosure }: MetCell,
): Promise<string | undefined> {
  try {
    const ending = enclosure.end(0).then(() => (isCommitted ? undefined : catalog.cellRefused(id)));
    if (await isDoneWithin(endTimeoutMs, ending)) return undefined;
    return "it is being freed, and something in it does not end";
  } catch (cause) {
    warn(`Cannot end what is left of cell "${file.name}": ${inWords(cause)}`);
    return `it could not be freed: ${inWords(cause)}`;
  }
}

/** What fails here is no reason not to tell of the cell. */
async function takeOver(options: AdoptionOptions, cell: MetCell): Promise<void> {
  const { warn, endTimeoutMs } = options;
  const { enclosure, answer } = cell;
  const { name, cgroups } = cell.parts;
  try {
    switch (answer.kind) {
      case "answers":
        if (cgroups.missing.length === 0) return cgroups.countExecutables();
        if (!cgroups.areGone) return;
        // Its processes are out of every limit: whoever removed the cgroups had moved them.
        await isDoneWithin(endTimeoutMs, enclosure.giveUp());
        return;
      case "gone":
        return await cgroups.kill();
      case "silent":
        return warn(
          `Cannot reach the supervisor of cell "${name}": ${answer.why}; the cell runs on`,
        );
      default:
        answer satisfies never;
    }
  } catch (cause) {
    warn(inWords(cause));
  }
}

function whyFailed({ answer, parts }: MetCell): string | undefined {
  const { missing, areGone } = parts.cgroups;
  switch (answer.kind) {
    case "answers":
      if (areGone) return "cgroup lost";
      if (missing.length > 0) return `cgroup lost: ${missing.join(", ")} was removed`;
      return answer.state.init === undefined ? "its init has died" : undefined;
    case "gone":
      return "supervisor lost";
    case "silent":
      return describeSilence(answer.why);
    default:
      return answer satisfies never;
  }
}
