import type { Stats } from "node:fs";
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
  /** Of freed cells, where nothing changes any more. */
  readonly #sizes = new Map<string, Size>();

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
    const size = this.#sizes.get(cell.id) ?? (await sizeOf(this.#catalog.directoryOf(cell.id)));
    this.#sizes.set(cell.id, size);
    // A boot that ended without freeing it: it was last written to before that.
    const freedAtMs = cell.freedAtMs ?? size.lastWriteMs;
    return { id: cell.id, freedAtMs, bytes: size.bytes };
  }
}

interface Size {
  readonly bytes: number;
  /** When the newest of its files was written to; a log that grows does not touch its directory. */
  readonly lastWriteMs: number;
}

async function sizeOf(directory: string): Promise<Size> {
  let bytes = 0;
  let lastWriteMs = 0;
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const stats = await statIfThere(join(entry.parentPath, entry.name));
    bytes += stats?.size ?? 0;
    lastWriteMs = Math.max(lastWriteMs, stats?.mtimeMs ?? 0);
  }
  return { bytes, lastWriteMs: lastWriteMs || (await stat(directory)).mtimeMs };
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
}
