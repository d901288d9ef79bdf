import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { AdoptedCell, ExecutableName, ExecutableSpec, RunReport } from "@aurae/domain/cells";
import { CellDirectory } from "./cell-directory.ts";
import type { CellFile } from "./cell-file.ts";
import { type EnclosureParts, LinuxEnclosure } from "./enclosure.ts";
import { inWords } from "./errno.ts";
import type { LogCatalog } from "./logs/log-catalog.ts";
import { lostNow } from "./open-runs.ts";
import type { RunNews } from "./shim/messages.ts";
import { Supervisor, type SupervisorAddress } from "./shim/supervisor.ts";

export interface AdoptionOptions {
  readonly cellsDir: string;
  readonly bootId: string;
  readonly catalog: LogCatalog;
  readonly warn: (message: string) => void;
  readonly partsOf: (id: string, file: CellFile) => EnclosureParts;
  readonly addressOf: (parts: EnclosureParts, enclosure: LinuxEnclosure) => SupervisorAddress;
}

/**
 * Find the cells that an earlier daemon left, parents before their children. What it had begun is
 * undone, what it had begun to free is freed; what cannot be read is left alone, with a word.
 *
 *     another boot        the cell died with it: its directory goes
 *     not committed       roll back
 *     ending              roll forward
 *     its supervisor answers        adopt: it knows the truth
 *     nobody answers                kill what is left, adopt as failed
 */
export async function adoptCells(options: AdoptionOptions): Promise<readonly AdoptedCell[]> {
  const found = readdirSync(options.cellsDir).flatMap((id) => readCell(options, id));
  found.sort((one, other) => (one.file.name < other.file.name ? -1 : 1));
  const adopted: AdoptedCell[] = [];
  // Children first when something has to go, parents first when they are told of.
  for (const cell of found.toReversed()) {
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
  readonly directory: CellDirectory;
}

function readCell({ cellsDir, bootId, warn }: AdoptionOptions, id: string): readonly FoundCell[] {
  const directory = new CellDirectory(join(cellsDir, id));
  try {
    if (!/^[0-9a-f]{16}$/.test(id)) throw new Error("it is none of ours");
    const { cell, isCommitted } = directory.read();
    if (cell.bootId === bootId) return [{ id, file: cell, isCommitted, directory }];
    directory.remove();
  } catch (cause) {
    if (isUnborn(directory)) {
      directory.remove();
      return [];
    }
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

async function settle(options: AdoptionOptions, cell: FoundCell): Promise<AdoptedCell | undefined> {
  const { id, file, isCommitted, directory } = cell;
  const { catalog, warn } = options;
  const parts = options.partsOf(id, file);
  const enclosure = new LinuxEnclosure(parts);
  catalog.cellAdopted(id, file.name);
  const answer = await findSupervisor(options.addressOf(parts, enclosure));
  if (answer !== undefined) {
    enclosure.serve(answer.supervisor, answer.state.init, answer.state.runs);
    if (isCommitted) parts.cgroups.countExecutables();
  }
  if (!isCommitted || directory.isEnding) {
    await enclosure.end(0);
    if (!isCommitted) await catalog.cellRefused(id);
    return undefined;
  }
  const failed = whyFailed(answer);
  if (failed !== undefined) enclosure.markFailed(failed);
  if (answer === undefined) await parts.cgroups.kill().catch((cause) => warn(inWords(cause)));
  const runs = readRuns(directory, answer?.state.runs ?? [], answer !== undefined, warn);
  for (const { report } of runs) catalog.runStarted(id, report);
  const common = { name: file.name, spec: file.spec, enclosure, runs };
  return failed === undefined ? common : { ...common, failed };
}

type Answer = Awaited<ReturnType<typeof Supervisor.find>>;

async function findSupervisor(address: SupervisorAddress): Promise<Answer | undefined> {
  try {
    return await Supervisor.find(address);
  } catch {
    return undefined;
  }
}

function whyFailed(answer: Answer | undefined): string | undefined {
  if (answer === undefined) return "supervisor lost";
  return answer.state.init === undefined ? "its init has died" : undefined;
}

/** All runs that have a record, as it says, or as the supervisor says of those that are open. */
function readRuns(
  directory: CellDirectory,
  open: readonly RunNews[],
  isSupervised: boolean,
  warn: (message: string) => void,
): AdoptedCell["runs"] {
  const numbers = new Set([...directory.recordedRuns(), ...open.map(({ record }) => record.run)]);
  return [...numbers]
    .sort((one, other) => one - other)
    .flatMap((run) => {
      try {
        const news = open.find(({ record }) => record.run === run);
        const report =
          news === undefined ? readClosed(directory, run, isSupervised) : toReport(news);
        if (report === undefined) return [];
        if (report.treeIsEmpty && report.logIsComplete) directory.runClosed(run);
        return [{ report, spec: readSpec(directory, report, warn) }];
      } catch (cause) {
        warn(`Cannot read run ${run} in ${directory.path}: ${inWords(cause)}`);
        return [];
      }
    });
}

function toReport({ record, treeIsEmpty, logIsComplete }: RunNews): RunReport {
  return { ...record, treeIsEmpty, logIsComplete };
}

/** A run that its supervisor does not speak of: it is closed, or was lost with the supervisor. */
function readClosed(
  directory: CellDirectory,
  run: number,
  isSupervised: boolean,
): RunReport | undefined {
  const record = directory.readRecord(run);
  if (record === undefined) return undefined;
  const reports = { ...record, treeIsEmpty: true, logIsComplete: true };
  if (record.end !== undefined || isSupervised) return reports;
  return { ...reports, end: lostNow() };
}

/** What was asked for; when that cannot be read the run is there all the same, under its name. */
function readSpec(
  directory: CellDirectory,
  { run, executable }: RunReport,
  warn: (message: string) => void,
): ExecutableSpec {
  try {
    return directory.readSpec(run);
  } catch (cause) {
    warn(`Cannot read what run ${run} in ${directory.path} was: ${inWords(cause)}`);
    return unknownSpec(executable);
  }
}

function unknownSpec(name: ExecutableName): ExecutableSpec {
  const nothing = { command: "", description: "", args: [], env: new Map(), workingDirectory: "/" };
  return { name, ...nothing, uid: 0, gid: 0, noShell: false };
}
