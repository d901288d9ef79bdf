import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../errno.ts";
import type { LogCatalog } from "./log-catalog.ts";

/** How long the logs of freed cells are kept. Whatever is over goes, the oldest first. */
export interface Retention {
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  /** Freed cells, so that many small ones cost neither memory nor inodes without end. */
  readonly maxCells: number;
}

/** A week, 4 GiB, 10,000 cells. */
export const defaultRetention: Retention = {
  maxAgeMs: 7 * 24 * 3600 * 1000,
  maxBytes: 4 * 1024 ** 3,
  maxCells: 10_000,
};

interface Kept {
  readonly id: string;
  readonly freedAtMs: number;
  readonly bytes: number;
}

/** Removes logs of freed cells. Those of live cells are not touched, nor counted. */
export class LogKeeper {
  readonly #catalog: LogCatalog;
  readonly #retention: Retention;
  /** What freed cells need; it does not change any more. */
  readonly #sizes = new Map<string, number>();

  constructor(catalog: LogCatalog, retention: Retention) {
    this.#catalog = catalog;
    this.#retention = retention;
  }

  async retain(nowMs: number): Promise<void> {
    const cells = await Promise.all(this.#catalog.ended.map((cell) => this.#measure(cell)));
    cells.sort((one, other) => other.freedAtMs - one.freedAtMs);
    let bytes = 0;
    for (const [index, cell] of cells.entries()) {
      bytes += cell.bytes;
      const { maxAgeMs, maxBytes, maxCells } = this.#retention;
      const isKept = nowMs - cell.freedAtMs <= maxAgeMs && bytes <= maxBytes && index < maxCells;
      if (isKept) continue;
      this.#catalog.remove(cell.id);
      this.#sizes.delete(cell.id);
    }
  }

  async #measure(cell: {
    readonly id: string;
    readonly freedAtMs: number | undefined;
  }): Promise<Kept> {
    const directory = this.#catalog.directoryOf(cell.id);
    const bytes = this.#sizes.get(cell.id) ?? (await bytesIn(directory));
    this.#sizes.set(cell.id, bytes);
    // A boot that ended without freeing it: it was last written to before that.
    const freedAtMs = cell.freedAtMs ?? (await lastWrite(directory));
    return { id: cell.id, freedAtMs, bytes };
  }
}

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += await sizeOf(join(entry.parentPath, entry.name));
  }
  return bytes;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return 0;
    throw cause;
  }
}

async function lastWrite(directory: string): Promise<number> {
  const names = await readdir(directory);
  const times = await Promise.all(
    names.map(async (name) => (await stat(join(directory, name))).mtimeMs),
  );
  return Math.max((await stat(directory)).mtimeMs, ...times);
}
