import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { AdoptedCell } from "@aurae/domain/cells";
import { failpoint } from "@aurae/domain/failpoints";
import { readRuns } from "./adopted-runs.ts";
import { CellDirectory } from "./cell-directory.ts";
import type { CellFile } from "./cell-file.ts";
import { isDoneWithin } from "./deadline.ts";
import { LinuxEnclosure } from "./enclosure.ts";
import { describeSilence } from "./enclosure-failure.ts";
import type { EnclosureParts } from "./enclosure-parts.ts";
import { inWords } from "./errno.ts";
import type { LogCatalog } from "./logs/log-catalog.ts";
import { type Found, Supervisor, type SupervisorAddress } from "./shim/supervisor.ts";
import { dropUnfinishedStarts } from "./unfinished-starts.ts";

export interface AdoptionOptions {
  readonly cellsDir: string;
  readonly bootId: string;
  readonly catalog: LogCatalog;
  readonly keptRuns: number;
  /** How long one cell that has to end may keep us; it goes on ending after that. */
  readonly endTimeoutMs: number;
  readonly warn: (message: string) => void;
  readonly partsOf: (id: string, file: CellFile) => EnclosureParts;
  readonly addressOf: (parts: EnclosureParts, enclosure: LinuxEnclosure) => SupervisorAddress;
}

/**
 * Find the cells that an earlier daemon left, parents before their children. What it had begun is
 * undone, what it had begun to free is freed; what cannot be read is left alone, with a word.
 *
 *     another boot        the cell died with it: its directory goes
 *     not committed       roll back; when that fails or hangs, adopt as failed
 *     ending              roll forward; the same
 *     its supervisor answers        adopt: it knows the truth
 *     nobody listens there          kill what is left, adopt as failed
 *     anything else                 touch nothing, adopt as failed: it may be our own fault
 */
export async function adoptCells(options: AdoptionOptions): Promise<readonly AdoptedCell[]> {
  const found = readdirSync(options.cellsDir).flatMap((id) => readCell(options, id));
  failpoint("recover.1.found");
  found.sort((one, other) => (one.file.name < other.file.name ? -1 : 1));
  // All at once: one that hangs costs its deadline, and not the others theirs.
  const met = (await Promise.all(found.map((cell) => meet(options, cell)))).flat();
  failpoint("recover.2.met");
  const adopted: AdoptedCell[] = [];
  // Children first when something has to go, parents first when they are told of.
  for (const cell of met.toReversed()) {
    try {
      const kept = await settle(options, cell);
      if (kept !== undefined) adopted.unshift(kept);
    } catch (cause) {
      options.warn(`Cannot take over cell "${cell.file.name}": ${inWords(cause)}`);
    }
  }
  return adopted;
}

interface FoundCell {
  readonly id: string;
  readonly file: CellFile;
  readonly isCommitted: boolean;
}

function readCell(options: AdoptionOptions, id: string): readonly FoundCell[] {
  const { cellsDir, bootId, catalog, keptRuns, warn } = options;
  const directory = new CellDirectory(join(cellsDir, id), keptRuns);
  try {
    if (!/^[0-9a-f]{16}$/.test(id)) throw new Error("it is none of ours");
    const { cell, isCommitted } = directory.read();
    if (cell.bootId === bootId) return [{ id, file: cell, isCommitted }];
    directory.remove();
  } catch (cause) {
    if (isUnborn(directory)) {
      directory.remove();
      return [];
    }
    catalog.cellUnknown(id);
    warn(`Cannot read ${directory.path}: ${inWords(cause)}; it is left as it is`);
  }
  return [];
}

/** Nothing was done before the intent was written; a part of it means nothing. */
function isUnborn(directory: CellDirectory): boolean {
  try {
    return directory.isUnborn;
  } catch {
    return false;
  }
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

async function settle(options: AdoptionOptions, cell: MetCell): Promise<AdoptedCell | undefined> {
  const { id, file, isCommitted, enclosure, answer } = cell;
  const { catalog, directory } = cell.parts;
  catalog.cellAdopted(id, file.name);
  const dropping = dropUnfinishedStarts(directory, answer, options.warn);
  await isDoneWithin(options.endTimeoutMs, dropping);
  failpoint("recover.3.dropped");
  const open = answer.kind === "answers" ? answer.state.runs : [];
  const runs = readRuns(directory, { supervisor: answer.kind, open }, options.warn);
  if (answer.kind === "silent") enclosure.serve(answer.supervisor, undefined, runs.open);
  const isUnwanted = !isCommitted || directory.isEnding;
  const unended = isUnwanted ? await rollOn(options, cell) : undefined;
  failpoint("recover.4.rolled");
  if (isUnwanted && unended === undefined) return undefined;
  const failed = unended ?? whyFailed(answer);
  if (failed !== undefined) enclosure.markFailed(failed);
  await takeOver(options, cell);
  failpoint("recover.5.taken");
  for (const { report } of runs.known) {
    // Without a pid there was a record that could not be read: the catalog knows better.
    if (report.pid !== 0) catalog.runFound(id, report, report.end === undefined);
  }
  for (const run of runs.forgotten) catalog.runForgotten(id, run, false);
  const common = { name: file.name, spec: file.spec, enclosure, runs: runs.known };
  return failed === undefined ? common : { ...common, failed };
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
async function takeOver({ warn }: AdoptionOptions, { parts, answer }: MetCell): Promise<void> {
  const { name, cgroups } = parts;
  try {
    switch (answer.kind) {
      case "answers":
        return cgroups.countExecutables();
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

function whyFailed(answer: Found): string | undefined {
  switch (answer.kind) {
    case "answers":
      return answer.state.init === undefined ? "its init has died" : undefined;
    case "gone":
      return "supervisor lost";
    case "silent":
      return describeSilence(answer.why);
    default:
      return answer satisfies never;
  }
}
