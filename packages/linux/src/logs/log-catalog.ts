import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { CellName, ExecutableName } from "@aurae/domain/cells";
import type { LogKey } from "@aurae/domain/observe";
import { inWords } from "../errno.ts";
import { makeOwnDirectory } from "../own-directory.ts";
import { requireOwnDirectory } from "../own-file.ts";
import {
  type CatalogCell,
  type CatalogRun,
  encodeCell,
  encodeRun,
  readCatalogCell,
} from "./catalog-files.ts";
import { CatalogWriter } from "./catalog-writer.ts";
import { PidIndex } from "./pid-index.ts";
import { removeLog, removeLogDirectory } from "./remove-log.ts";
import { segmentsOf } from "./segments.ts";

export interface LogCatalogOptions {
  /** `logs/` in the library directory. */
  readonly directory: string;
  readonly bootId: string;
  /** Closed runs that a cell keeps; `runs.jsonl` has at most about twice as many lines. */
  readonly keptRuns: number;
  readonly warn: (message: string) => void;
}

/**
 * Which cells and runs have logs, by name and by pid. In memory, and beside the logs, so that the
 * next daemon knows it too:
 *
 *     logs/<cell id>/cell.json              name, boot, when it was allocated and freed
 *                    runs.jsonl             a line for each run
 *                    <executable>/<run>.log, <run>.log.1 …   by the supervisor
 */
export class LogCatalog {
  readonly #options: LogCatalogOptions;
  readonly #cells = new Map<string, CatalogCell>();
  readonly #live = new Set<string>();
  /** Runs of this boot. */
  readonly #byPid = new PidIndex();
  readonly #writer: CatalogWriter;
  /** Of `runs.jsonl`, by the id of the cell. */
  readonly #lines = new Map<string, number>();
  #lastSequence = 0;

  constructor(options: LogCatalogOptions) {
    this.#options = options;
    this.#writer = new CatalogWriter(options.directory, options.warn);
    makeOwnDirectory(options.directory);
    for (const id of readdirSync(options.directory)) {
      if (/^[0-9a-f]{16}$/.test(id)) this.#tryToLoad(id);
    }
  }

  directoryOf(id: string): string {
    return join(this.#options.directory, id);
  }

  /** A cell comes to be: make the directory of its logs. */
  cellAllocated(id: string, name: CellName): void {
    const { bootId } = this.#options;
    const times = { allocatedAtMs: Date.now(), freedAtMs: undefined };
    const cell = { id, name, bootId, sequence: ++this.#lastSequence, ...times };
    mkdirSync(this.directoryOf(id), { mode: 0o700 });
    this.#writer.writeCell(id, encodeCell(cell));
    this.#cells.set(id, { ...cell, latest: new Map() });
    this.#live.add(id);
  }

  /** It did not come to be. */
  async cellRefused(id: string): Promise<void> {
    await this.#writer.flush(id);
    this.remove(id);
  }

  /** A cell that was allocated before has been found alive. What is not known of it is noted anew. */
  cellAdopted(id: string, name: CellName): void {
    this.#live.add(id);
    const known = this.#cells.get(id);
    if (known?.name !== undefined) return;
    const { bootId } = this.#options;
    const allocatedAtMs = known?.allocatedAtMs ?? Date.now();
    const sequence = ++this.#lastSequence;
    const cell = { id, name, bootId, sequence, allocatedAtMs, freedAtMs: undefined };
    // The supervisor writes into it: whatever is there stays.
    mkdirSync(this.directoryOf(id), { recursive: true, mode: 0o700 });
    this.#writer.writeCell(id, encodeCell(cell));
    this.#cells.set(id, { ...cell, latest: new Map() });
    for (const run of known?.latest.values() ?? []) this.#enter(id, run, false);
  }

  /** A cell of which nobody knows what it is, but that may live: its logs stay. */
  cellUnknown(id: string): void {
    this.#live.add(id);
  }

  /** From now on its logs are kept for a while. */
  cellFreed(id: string): void {
    this.#live.delete(id);
    const cell = this.#cells.get(id);
    if (cell === undefined) return;
    const freed = { ...cell, freedAtMs: Date.now() };
    this.#cells.set(id, freed);
    this.#writer.writeCell(id, encodeCell(freed));
  }

  /** A run has begun; its line is written soon. */
  runStarted(id: string, run: CatalogRun): void {
    this.runFound(id, run, true);
  }

  /** A run that began before has been found. Known already is fine. */
  runFound(id: string, run: CatalogRun, isLive: boolean): void {
    if (!this.#enter(id, run, isLive)) return;
    const lines = (this.#lines.get(id) ?? 0) + 1;
    this.#lines.set(id, lines);
    if (lines > 2 * this.#options.keptRuns) this.#rewriteRuns(id);
    else this.#writer.appendRun(id, encodeRun(run));
  }

  /** A run of a live cell is kept no longer. @param isInUse whether its name has a run that is open */
  runForgotten(id: string, forgotten: Omit<CatalogRun, "startedAtNs">, isInUse: boolean): void {
    const { run, executable } = forgotten;
    const latest = this.#cells.get(id)?.latest;
    if (latest?.get(executable)?.run === run) latest.delete(executable);
    this.#byPid.removeRun(id, forgotten);
    const key = { cellId: id, executable, run };
    removeLog(this.directoryOf(id), key);
    if (!isInUse) removeLogDirectory(this.directoryOf(id), key);
  }

  /** Resolves when all that was entered is written. */
  async flush(): Promise<void> {
    await this.#writer.flushAll();
  }

  findByPid(pid: number): LogKey | undefined {
    return this.#byPid.find(pid);
  }

  findByName(
    name: CellName,
    executable: ExecutableName,
    run: number | undefined,
  ): LogKey | undefined {
    const cell = this.#latestCell(name);
    const latest = cell?.latest.get(executable);
    if (cell === undefined || latest === undefined) return undefined;
    const key = { cellId: cell.id, executable, run: run ?? latest.run };
    // Of earlier runs only the files know.
    return key.run === latest.run || this.#hasLog(key) ? key : undefined;
  }

  /** The cells that do not live, for `retain`. */
  get ended(): readonly CatalogCell[] {
    return [...this.#cells.values()].filter(({ id }) => !this.#live.has(id));
  }

  /** Remove the logs of a cell. */
  remove(id: string): void {
    rmSync(this.directoryOf(id), { recursive: true, force: true });
    this.#cells.delete(id);
    this.#live.delete(id);
    this.#lines.delete(id);
    this.#byPid.removeCell(id);
  }

  /** What is not ours is not read, and not removed either. */
  #tryToLoad(id: string): void {
    try {
      requireOwnDirectory(this.directoryOf(id));
      this.#load(id);
    } catch (cause) {
      this.#options.warn(`Cannot read logs: ${inWords(cause)}`);
    }
  }

  #load(id: string): void {
    const { cell, runs, isCut } = readCatalogCell(this.directoryOf(id), id, this.#options.warn);
    if (isCut) this.#writer.appendRun(id, "\n");
    this.#cells.set(id, cell);
    this.#lastSequence = Math.max(this.#lastSequence, cell.sequence);
    this.#lines.set(id, runs.length);
    for (const run of runs) this.#enter(id, run, false);
  }

  /** Write down only what is known yet. */
  #rewriteRuns(id: string): void {
    const latest = this.#cells.get(id)?.latest.values() ?? [];
    const known = new Map([...this.#byPid.of(id), ...latest].map((run) => [run.run, run]));
    const inOrder = [...known.values()].sort((one, other) => one.run - other.run);
    // Those that are open come on top of those that are kept.
    const runs = inOrder.slice(-Math.ceil(1.5 * this.#options.keptRuns));
    this.#lines.set(id, runs.length);
    this.#writer.rewriteRuns(id, runs.map(encodeRun).join(""));
  }

  /** Whether it was not known before. */
  #enter(id: string, run: CatalogRun, isLive: boolean): boolean {
    const cell = this.#cells.get(id);
    if (cell === undefined) return false;
    if (cell.bootId === this.#options.bootId) this.#byPid.enter(id, run, isLive);
    const known = cell.latest.get(run.executable);
    if (known !== undefined && known.run >= run.run) return false;
    cell.latest.set(run.executable, run);
    return true;
  }

  /** The one that lives; else the one that came last. */
  #latestCell(name: CellName): CatalogCell | undefined {
    const named = [...this.#cells.values()].filter((cell) => cell.name === name);
    named.sort(
      (one, other) =>
        Number(this.#live.has(one.id)) - Number(this.#live.has(other.id)) ||
        one.sequence - other.sequence ||
        one.allocatedAtMs - other.allocatedAtMs,
    );
    return named.at(-1);
  }

  #hasLog({ cellId, executable, run }: LogKey): boolean {
    const directory = join(this.directoryOf(cellId), executable);
    return existsSync(directory) && segmentsOf(readdirSync(directory), run).length > 0;
  }
}
