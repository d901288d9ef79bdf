import type { AdoptedCell, ExecutableName, ExecutableSpec, RunReport } from "@aurae/domain/cells";
import type { CellDirectory, ClosedRun } from "./cell-directory.ts";
import { inWords } from "./errno.ts";
import { lostNow } from "./open-runs.ts";
import type { RunNews } from "./shim/messages.ts";
import type { Found } from "./shim/supervisor.ts";

export interface AdoptedRuns {
  /** Oldest first, with what was asked for. */
  readonly known: AdoptedCell["runs"];
  /** Those of which something is left to come. */
  readonly open: readonly RunNews[];
  /** Closed long ago, and one too many: their files are gone. */
  readonly forgotten: readonly ClosedRun[];
}

/** All runs that have a record, as it says, or as the supervisor says of those that are open. */
export function readRuns(
  directory: CellDirectory,
  answer: Found,
  warn: (message: string) => void,
): AdoptedRuns {
  const told = answer.kind === "answers" ? answer.state.runs : [];
  const numbers = new Set([...directory.recordedRuns(), ...told.map(({ record }) => record.run)]);
  const news = [...numbers]
    .sort((one, other) => one - other)
    .flatMap((run) => {
      try {
        const found = told.find(({ record }) => record.run === run);
        return found ?? readUntold(directory, run, answer.kind) ?? [];
      } catch (cause) {
        warn(`Cannot read run ${run} in ${directory.path}: ${inWords(cause)}`);
        return [];
      }
    });
  const forgotten = news
    .filter(isClosed)
    .flatMap(({ record }) => directory.runClosed(record) ?? []);
  const known = news.map(toReport).map((report) => {
    return { report, spec: readSpec(directory, report, warn) };
  });
  return { known, open: news.filter((one) => !isClosed(one)), forgotten };
}

function isClosed({ treeIsEmpty, logIsComplete }: RunNews): boolean {
  return treeIsEmpty && logIsComplete;
}

function toReport({ record, treeIsEmpty, logIsComplete }: RunNews): RunReport {
  return { ...record, treeIsEmpty, logIsComplete };
}

/** A run that nobody speaks of: it is closed, or was lost with its supervisor; or that is silent. */
function readUntold(
  directory: CellDirectory,
  run: number,
  supervisor: Found["kind"],
): RunNews | undefined {
  const record = directory.readRecord(run);
  if (record === undefined) return undefined;
  if (record.end === undefined && supervisor === "silent") {
    return { record, treeIsEmpty: false, logIsComplete: false };
  }
  const closed = { treeIsEmpty: true, logIsComplete: true };
  if (record.end !== undefined || supervisor === "answers") return { record, ...closed };
  return { record: { ...record, end: lostNow() }, ...closed };
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
