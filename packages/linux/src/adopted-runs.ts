import type { ExecutableName, RunReport } from "@aurae/domain/cells";
import type { CellDirectory, ClosedRun } from "./cell-directory.ts";
import type { ExecutableFile } from "./cell-file.ts";
import { inWords } from "./errno.ts";
import { lostNow } from "./open-runs.ts";
import type { RunNews } from "./shim/messages.ts";
import type { RunRecord } from "./shim/record.ts";
import type { Found } from "./shim/supervisor.ts";

export interface AdoptedRuns {
  /** Oldest first, with what was asked for. */
  readonly known: readonly { readonly report: RunReport; readonly spec: ExecutableFile }[];
  /** Those of which something is left to come. */
  readonly open: readonly RunNews[];
  /** Closed long ago, and one too many: their files are gone. */
  readonly forgotten: readonly ClosedRun[];
}

/** What is known of the runs of a cell: whether its supervisor answers, and what it says is open. */
export interface ToldRuns {
  readonly supervisor: Found["kind"];
  readonly open: readonly RunNews[];
}

/** All runs that have a record, as it says, or as the supervisor says of those that are open. */
export function readRuns(
  directory: CellDirectory,
  told: ToldRuns,
  warn: (message: string) => void,
): AdoptedRuns {
  const open = new Map(told.open.map((one) => [one.record.run, one]));
  const numbers = new Set([...readNumbers(directory, warn), ...open.keys()]);
  const news = [...numbers]
    .sort((one, other) => one - other)
    .flatMap((run) => open.get(run) ?? readUntold(directory, run, told.supervisor, warn) ?? []);
  const forgotten = news
    .filter(isClosed)
    .flatMap(({ record }) => directory.runClosed(record) ?? []);
  const known = news.map(toReport).map((report) => {
    return { report, spec: readSpec(directory, report, warn) };
  });
  return { known, open: news.filter((one) => !isClosed(one)), forgotten };
}

/** When the records are nowhere to be believed, what the supervisor tells is all there is. */
function readNumbers(directory: CellDirectory, warn: (message: string) => void): readonly number[] {
  try {
    return directory.recordedRuns();
  } catch (cause) {
    warn(`Cannot read the runs of a cell: ${inWords(cause)}`);
    return [];
  }
}

function isClosed({ treeIsEmpty, logIsComplete }: RunNews): boolean {
  return treeIsEmpty && logIsComplete;
}

function toReport({ record, treeIsEmpty, logIsComplete }: RunNews): RunReport {
  return { ...record, treeIsEmpty, logIsComplete };
}

/**
 * A run that no supervisor speaks of: it is closed, or was lost. Only of one whose supervisor is silent
 * nobody knows. A live supervisor that could not write how it ended has forgotten it all the same.
 */
function readUntold(
  directory: CellDirectory,
  run: number,
  supervisor: Found["kind"],
  warn: (message: string) => void,
): RunNews | undefined {
  const record = readRecord(directory, run, warn);
  if (record === undefined) return undefined;
  if (record.end === undefined && supervisor === "silent") {
    return { record, treeIsEmpty: false, logIsComplete: false };
  }
  const end = record.end ?? lostNow();
  return { record: { ...record, end }, treeIsEmpty: true, logIsComplete: true };
}

/** When its record is damaged, its number and its name are taken all the same: its log is there. */
function readRecord(
  directory: CellDirectory,
  run: number,
  warn: (message: string) => void,
): RunRecord | undefined {
  try {
    return directory.readRecord(run);
  } catch (cause) {
    warn(`Cannot read run ${run} in ${directory.path}: ${inWords(cause)}`);
  }
  try {
    return { run, executable: directory.readSpec(run).name, pid: 0, startedAtNs: 0n };
  } catch {
    return undefined;
  }
}

/** What was asked for; when that cannot be read the run is there all the same, under its name. */
function readSpec(
  directory: CellDirectory,
  { run, executable }: RunReport,
  warn: (message: string) => void,
): ExecutableFile {
  try {
    return directory.readSpec(run);
  } catch (cause) {
    warn(`Cannot read what run ${run} in ${directory.path} was: ${inWords(cause)}`);
    return unknownSpec(executable);
  }
}

function unknownSpec(name: ExecutableName): ExecutableFile {
  const nothing = { command: "", description: "", args: [], env: new Map(), workingDirectory: "/" };
  return { name, ...nothing, uid: 0, gid: 0, noShell: false };
}
