import { statSync } from "node:fs";
import { join } from "node:path";
import {
  type CellName,
  type ExecutableName,
  parseCellName,
  parseExecutableName,
} from "@aurae/domain/cells";
import { errnoOf, inWords } from "../errno.ts";
import { readOwnFile } from "../own-file.ts";
import { openJson, sealJson } from "../sealed-json.ts";

/** A run that has a log. */
export interface CatalogRun {
  readonly run: number;
  readonly executable: ExecutableName;
  readonly pid: number;
  readonly startedAtNs: bigint;
}

/** A cell that has logs, live or freed. */
export interface CatalogCell {
  readonly id: string;
  /** Undefined when its `cell.json` cannot be read: it has logs, but nobody can ask for them. */
  readonly name: CellName | undefined;
  readonly bootId: string;
  /** Which cell came after which: clocks are set back, this is not. 0 when it was not noted. */
  readonly sequence: number;
  readonly allocatedAtMs: number;
  /** Undefined while it lives; or when a boot ended it, and nobody noted it. */
  readonly freedAtMs: number | undefined;
  /** The latest run of each executable. */
  readonly latest: Map<ExecutableName, CatalogRun>;
}

/** Before these files had checksums; lines had no version at all. */
const unsealedCellVersion = 1;
const unsealedRunVersion = undefined;

/** A line is about 150 bytes: more runs than any cell will have in a boot. */
const maxFileBytes = 256 * 1024 * 1024;

export function encodeCell(cell: Omit<CatalogCell, "latest">): string {
  const { name, bootId, sequence, allocatedAtMs, freedAtMs } = cell;
  return sealJson({
    name,
    bootId,
    sequence,
    allocatedAt: new Date(allocatedAtMs).toISOString(),
    ...(freedAtMs === undefined ? {} : { freedAt: new Date(freedAtMs).toISOString() }),
  });
}

export function encodeRun({ run, executable, pid, startedAtNs }: CatalogRun): string {
  return `${sealJson({ run, executable, pid, startedAtNs: String(startedAtNs) })}\n`;
}

export interface CatalogContent {
  readonly cell: CatalogCell;
  readonly runs: readonly CatalogRun[];
  /** Whether the last line has no end, so that the next one would be a part of it. */
  readonly isCut: boolean;
}

/** What stands beside the logs of a cell. What cannot be read is left out, with a word to `warn`. */
export function readCatalogCell(
  directory: string,
  id: string,
  warn: (message: string) => void,
): CatalogContent {
  const path = join(directory, "runs.jsonl");
  const text = readRuns(path, warn);
  return {
    cell: readCell(directory, id, warn),
    runs: parseRuns(text, path, warn),
    isCut: text !== "" && !text.endsWith("\n"),
  };
}

function readCell(directory: string, id: string, warn: (message: string) => void): CatalogCell {
  try {
    return parseCell(readOwnFile(join(directory, "cell.json"), maxFileBytes), id);
  } catch (cause) {
    warn(`Cannot read whose logs are in ${directory}: ${inWords(cause)}`);
    const touchedAtMs = statSync(directory).mtimeMs;
    const times = { allocatedAtMs: touchedAtMs, freedAtMs: touchedAtMs };
    return { id, name: undefined, bootId: "", sequence: 0, ...times, latest: new Map() };
  }
}

function parseCell(bytes: Buffer, id: string): CatalogCell {
  const file = openJson(bytes, unsealedCellVersion);
  const { name, bootId, sequence, allocatedAt, freedAt } = file;
  return {
    id,
    name: readName(name),
    bootId: String(bootId),
    sequence: Number.isSafeInteger(sequence) ? Number(sequence) : 0,
    allocatedAtMs: readTime(allocatedAt),
    freedAtMs: freedAt === undefined ? undefined : readTime(freedAt),
    latest: new Map(),
  };
}

function readRuns(path: string, warn: (message: string) => void): string {
  try {
    return readOwnFile(path, maxFileBytes).toString("utf8");
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") warn(`Cannot read ${path}: ${inWords(cause)}`);
    return "";
  }
}

/** Each line stands for itself: one that is cut, or damaged, takes no other with it (fault 61). */
function parseRuns(
  text: string,
  path: string,
  warn: (message: string) => void,
): readonly CatalogRun[] {
  return text
    .split("\n")
    .filter(Boolean)
    .flatMap((line) => {
      try {
        return [parseRun(line)];
      } catch (cause) {
        warn(`Cannot read a line of ${path}: ${inWords(cause)}`);
        return [];
      }
    });
}

function parseRun(line: string): CatalogRun {
  const file = openJson(Buffer.from(line), unsealedRunVersion);
  const { run, executable, pid, startedAtNs } = file;
  const name = parseExecutableName(String(executable));
  if (typeof name !== "string") throw new Error(`the name of the executable ${name.wrong}`);
  if (typeof run !== "number" || typeof pid !== "number") throw new Error("it names no run");
  return { run, executable: name, pid, startedAtNs: BigInt(String(startedAtNs)) };
}

function readName(value: unknown): CellName {
  const name = parseCellName(String(value));
  if (typeof name !== "string") throw new Error(`the name of the cell ${name.wrong}`);
  return name;
}

function readTime(value: unknown): number {
  const time = Date.parse(String(value));
  if (Number.isNaN(time)) throw new Error(`${String(value)} is no time`);
  return time;
}
