import type { CellName } from "@aurae/domain/cells";
import type { CellDirectory } from "./cell-directory.ts";
import type { CellCgroups } from "./cgroup/cell-cgroups.ts";
import type { LogCatalog } from "./logs/log-catalog.ts";
import type { RequestLog } from "./requests/request-log.ts";
import type { SpareDescriptors } from "./spare-descriptors.ts";
import type { StateDisk } from "./state-disk.ts";

/** What a cell is made of, and what it is entered in. */
export interface EnclosureParts {
  readonly id: string;
  readonly name: CellName;
  readonly directory: CellDirectory;
  readonly cgroups: CellCgroups;
  /** See {@link Cgroups.changedLimits}. */
  readonly changedLimits: () => readonly string[] | undefined;
  readonly catalog: LogCatalog;
  readonly disk: StateDisk;
  readonly spare: SpareDescriptors;
  readonly requests: RequestLog;
  /** How long what was killed may take to be gone, before who asked is told. */
  readonly killTimeoutMs: number;
  readonly warn: (message: string) => void;
  /** Told once, when nothing of it is left. */
  readonly ended: () => void;
}
