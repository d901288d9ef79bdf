import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { CellName, ExecutableName } from "@aurae/domain/cells";
import type { LogKey } from "@aurae/domain/observe";
import {
  type CatalogCell,
  type CatalogRun,
  encodeCell,
  encodeRun,
  readCatalogCell,
} from "./catalog-files.ts";
import { CatalogWriter } from "./catalog-writer.ts";
import { segmentsOf } from "./segments.ts";

export interface LogCatalogOptions {
  /** `logs/` in the library directory. */
  readonly directory: string;
  readonly bootId: string;
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
  /** Runs of this boot. The kernel gives a pid again, so the last one wins: at most pid_max. */
  readonly #byPid = new Map<number, LogKey & { readonly startedAtNs: bigint }>();
  readonly #writer: CatalogWriter;

  constructor(options: LogCatalogOptions) {
    this.#options = options;
    this.#writer = new CatalogWriter(options.directory, options.warn);
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    for (const id of readdirSync(options.directory)) {
      if (/^[0-9a-f]{16}$/.test(id)) this.#load(id);
    }
  }

  directoryOf(id: string): string {
    return join(this.#options.directory, id);
  }

  /** A cell comes to be: make the directory of its logs. */
  cellAllocated(id: string, name: CellName): void {
    const { bootId } = this.#options;
    const cell = { id, name, bootId, allocatedAtMs: Date.now(), freedAtMs: undefined };
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
    const cell = { id, name, bootId, allocatedAtMs, freedAtMs: undefined };
    // The supervisor writes into it: whatever is there stays.
    mkdirSync(this.directoryOf(id), { recursive: true, mode: 0o700 });
    this.#writer.writeCell(id, encodeCell(cell));
    this.#cells.set(id, { ...cell, latest: new Map() });
    for (const run of known?.latest.values() ?? []) this.#enter(id, run);
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

  /** A run is known by now; its line is written soon. Known already is fine. */
  runStarted(id: string, run: CatalogRun): void {
    if (this.#enter(id, run)) this.#writer.appendRun(id, encodeRun(run));
  }

  /** Resolves when all that was entered is written. */
  async flush(): Promise<void> {
    await this.#writer.flushAll();
  }

  findByPid(pid: number): LogKey | undefined {
    const found = this.#byPid.get(pid);
    if (found === undefined) return undefined;
    return { cellId: found.cellId, executable: found.executable, run: found.run };
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
    for (const [pid, { cellId }] of this.#byPid) if (cellId === id) this.#byPid.delete(pid);
  }

  #load(id: string): void {
    const { cell, runs, isCut } = readCatalogCell(this.directoryOf(id), id, this.#options.warn);
    if (isCut) this.#writer.appendRun(id, "\n");
    this.#cells.set(id, cell);
    for (const run of runs) this.#enter(id, run);
  }

  /** Whether it was not known before. */
  #enter(id: string, run: CatalogRun): boolean {
    const cell = this.#cells.get(id);
    const known = cell?.latest.get(run.executable);
    if (cell === undefined || (known !== undefined && known.run >= run.run)) return false;
    cell.latest.set(run.executable, run);
    const last = this.#byPid.get(run.pid);
    const isLast = last === undefined || last.startedAtNs < run.startedAtNs;
    if (cell.bootId === this.#options.bootId && isLast) {
      const { executable, startedAtNs } = run;
      this.#byPid.set(run.pid, { cellId: id, executable, run: run.run, startedAtNs });
    }
    return true;
  }

  #latestCell(name: CellName): CatalogCell | undefined {
    let latest: CatalogCell | undefined;
    for (const cell of this.#cells.values()) {
      if (cell.name !== name) continue;
      if (latest === undefined || cell.allocatedAtMs >= latest.allocatedAtMs) latest = cell;
    }
    return latest;
  }

  #hasLog({ cellId, executable, run }: LogKey): boolean {
    const directory = join(this.directoryOf(cellId), executable);
    return existsSync(directory) && segmentsOf(readdirSync(directory), run).length > 0;
  }
}
