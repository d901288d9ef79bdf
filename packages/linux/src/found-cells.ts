import { readdirSync } from "node:fs";
import { join } from "node:path";
import { CellDirectory } from "./cell-directory.ts";
import type { CellFile } from "./cell-file.ts";
import { inWords } from "./errno.ts";
import type { LogCatalog } from "./logs/log-catalog.ts";
import { requireOwnDirectory } from "./own-file.ts";
import { isListening } from "./shim/launcher.ts";
import { describeUnmanaged, type SupervisorOf } from "./unmanaged-cell.ts";

/** A cell of this boot that has a file that can be believed. */
export interface FoundCell {
  readonly id: string;
  readonly file: CellFile;
  /** False when an earlier daemon died before it was whole. */
  readonly isCommitted: boolean;
}

export interface FindOptions {
  readonly cellsDir: string;
  readonly bootId: string;
  readonly catalog: LogCatalog;
  readonly keptRuns: number;
  readonly warn: (message: string) => void;
  readonly supervisorOf: SupervisorOf;
}

/**
 * What an earlier daemon left, sorted by name.
 *
 *     of this boot        told
 *     of another boot     it died with it: the directory goes, with a word
 *     only begun          nothing had been done yet: the directory goes
 *     anything else       left as it is, with a word: there may be a live cell behind it
 */
export async function findCells(options: FindOptions): Promise<readonly FoundCell[]> {
  const ids = readdirSync(options.cellsDir);
  const found = (await Promise.all(ids.map((id) => look(options, id)))).flat();
  return found.sort((one, other) => (one.file.name < other.file.name ? -1 : 1));
}

async function look(options: FindOptions, id: string): Promise<readonly FoundCell[]> {
  const { cellsDir, bootId, catalog, keptRuns, warn, supervisorOf } = options;
  const directory = new CellDirectory(join(cellsDir, id), keptRuns);
  const isOurs = /^[0-9a-f]{16}$/.test(id);
  try {
    if (!isOurs) throw new Error("its name is none of ours");
    requireOwnDirectory(directory.path);
    const { cell, isCommitted } = directory.read();
    if (cell.bootId === bootId) return [{ id, file: cell, isCommitted }];
    await requireDead(directory);
    directory.remove();
    if (isCommitted) warn(`Cell "${cell.name}" was lost at boot; its logs are kept`);
  } catch (cause) {
    if (isUnborn(directory)) {
      directory.remove();
      return [];
    }
    catalog.cellUnknown(id);
    const what = isOurs ? await describeUnmanaged(supervisorOf(id)) : "it is no cell";
    warn(`Cannot read ${directory.path}: ${inWords(cause)}; it is left as it is: ${what}`);
  }
  return [];
}

/** No process outlives its boot: who listens here is of this one, whatever the file says (fault 16). */
async function requireDead({ socketPath }: CellDirectory): Promise<void> {
  if (await isListening(socketPath)) {
    throw new Error("its file is of another boot, and somebody listens at its socket");
  }
}

function isUnborn(directory: CellDirectory): boolean {
  try {
    return directory.isUnborn;
  } catch {
    return false;
  }
}
