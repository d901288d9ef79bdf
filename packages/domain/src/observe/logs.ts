import type { CellName } from "../cells/cell-name.ts";
import type { Cells } from "../cells/cells.ts";
import type { ExecutableName } from "../cells/executable-spec.ts";
import { Failure } from "../errors.ts";
import { Gate } from "../gate.ts";
import type { LogEntry, LogKey, LogQuery, LogStore } from "./log-store.ts";

/** Names a run: by the pid it has or had, or by its cell and executable. */
export type LogSelector =
  | { readonly kind: "pid"; readonly pid: number }
  | {
      readonly kind: "name";
      readonly cell: CellName;
      readonly executable: ExecutableName;
      readonly run: number | undefined;
    };

/** The log of one run. */
export interface OpenedLog {
  readonly key: LogKey;
  /** The cell that it is of; undefined when that was freed. */
  readonly cell: CellName | undefined;
  readonly entries: AsyncIterable<LogEntry>;
}

/** The logs of runs. A stream is bound to one run when it begins, whatever becomes of its names. */
export class Logs {
  readonly #cells: Cells;
  readonly #store: LogStore;

  constructor(cells: Cells, store: LogStore) {
    this.#cells = cells;
    this.#store = store;
  }

  /** The log of the run that the selector names now. @throws Failure `not-found` */
  open(selector: LogSelector, query: LogQuery, signal: AbortSignal): OpenedLog {
    const key = this.#find(selector);
    const cell = this.#cells.findEnclosed(key.cellId);
    const run = cell?.executables.find(key.executable, key.run);
    // A run that nobody remembers has ended long ago, or with its cell.
    const logged = run ?? { logComplete: Gate.opened(), linesDropped: 0n };
    return { key, cell: cell?.name, entries: this.#store.read(key, query, logged, signal) };
  }

  #find(selector: LogSelector): LogKey {
    if (selector.kind === "pid") {
      const key = this.#store.findByPid(selector.pid);
      if (key !== undefined) return key;
      throw new Failure(
        "not-found",
        "LOG_NOT_FOUND",
        `Cannot find the log of process ${selector.pid}: no run of this boot had it`,
        {
          metadata: { processId: String(selector.pid) },
        },
      );
    }
    const key = this.#store.findByName(selector.cell, selector.executable, selector.run);
    if (key !== undefined) return key;
    // Say what exactly is missing: the cell, the executable, or the run.
    this.#cells.get(selector.cell).executables.run(selector.executable, selector.run);
    throw new Failure(
      "not-found",
      "LOG_NOT_FOUND",
      `Cannot find the log of "${selector.executable}": it is not kept`,
      {
        metadata: { cell: selector.cell, executable: selector.executable },
      },
    );
  }
}
