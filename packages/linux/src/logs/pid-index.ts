import type { LogKey } from "@aurae/domain/observe";
import type { CatalogRun } from "./catalog-files.ts";

interface Holder extends CatalogRun {
  readonly cellId: string;
  readonly isLive: boolean;
}

/**
 * Which run has or had a pid. The kernel gives a pid again, so there is one of each: at most pid_max.
 * A run that was entered alive is believed until another is; of those that were found ended, in one
 * cell the later run, and between cells the one that the clock says began later.
 */
export class PidIndex {
  readonly #holders = new Map<number, Holder>();

  find(pid: number): LogKey | undefined {
    const holder = this.#holders.get(pid);
    if (holder === undefined) return undefined;
    return { cellId: holder.cellId, executable: holder.executable, run: holder.run };
  }

  enter(cellId: string, run: CatalogRun, isLive: boolean): void {
    const before = this.#holders.get(run.pid);
    const holder = { ...run, cellId, isLive };
    if (isLive || before === undefined || isLater(holder, before)) {
      this.#holders.set(run.pid, holder);
    }
  }

  /** The runs of a cell that are known by their pids. */
  *of(id: string): Iterable<CatalogRun> {
    for (const holder of this.#holders.values()) if (holder.cellId === id) yield holder;
  }

  removeRun(id: string, { run, pid }: Pick<CatalogRun, "run" | "pid">): void {
    const holder = this.#holders.get(pid);
    if (holder?.cellId === id && holder.run === run) this.#holders.delete(pid);
  }

  removeCell(id: string): void {
    for (const [pid, { cellId }] of this.#holders) if (cellId === id) this.#holders.delete(pid);
  }
}

function isLater(one: Holder, other: Holder): boolean {
  if (other.isLive) return false;
  return one.cellId === other.cellId ? one.run > other.run : one.startedAtNs > other.startedAtNs;
}
