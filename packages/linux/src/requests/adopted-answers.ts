import type { AdoptedRun, MarkedStop, RequestMark } from "@aurae/domain/cells";
import type { CellDirectory } from "../cell-directory.ts";
import type { CellFile, ExecutableFile } from "../cell-file.ts";
import { inWords } from "../errno.ts";
import type { RequestLog } from "./request-log.ts";

/** A cell of an earlier daemon, and what is known of its runs. */
export interface MarkedCell {
  readonly directory: CellDirectory;
  readonly file: CellFile;
  readonly runs: readonly (AdoptedRun & { readonly spec: ExecutableFile })[];
}

/**
 * Note what an earlier daemon did for requests with a mark and died before it had noted it.
 *
 * @returns the runs, with the stops that are to go on
 */
export function noteAnswers(
  { directory, file, runs }: MarkedCell,
  requests: RequestLog,
  warn: (message: string) => void,
): readonly AdoptedRun[] {
  if (file.mark !== undefined) requests.noteOnce(file.mark, { kind: "allocated" });
  const stopped = new Set(directory.stoppedRuns());
  return runs.map(({ report, spec: { mark, ...spec } }) => {
    noteStart(report, mark, requests);
    if (!stopped.has(report.run)) return { report, spec };
    const stops = readStops(directory, report.run, warn);
    const { end } = report;
    if (end === undefined || !report.treeIsEmpty) return { report, spec, stops };
    for (const stop of stops) requests.noteOnce(stop.mark, { kind: "stopped", end });
    return { report, spec };
  });
}

function noteStart(
  { run, pid, startedAtNs }: AdoptedRun["report"],
  mark: RequestMark | undefined,
  requests: RequestLog,
): void {
  // Without a pid its record could not be read: the answer is not known.
  if (mark === undefined || pid === 0) return;
  requests.noteOnce(mark, { kind: "started", run, pid, startedAtNs });
}

function readStops(
  directory: CellDirectory,
  run: number,
  warn: (message: string) => void,
): readonly MarkedStop[] {
  try {
    return directory.stopsOf(run).read();
  } catch (cause) {
    warn(`Cannot read who stops run ${run} in ${directory.path}: ${inWords(cause)}`);
    return [];
  }
}
