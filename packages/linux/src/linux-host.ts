import type { AdoptedCell, CellHost, EncloseRequest, Enclosure } from "@aurae/domain/cells";
import type { FileLogStore } from "./logs/file-log-store.ts";

export interface LinuxHostOptions {
  /** Exists, and its lock is held (see `openLock`). Cells live here; it lives as long as the boot. */
  readonly runtimeDir: string;
  /** Where aurae-launcher, aurae-supervisor, aurae-stage and aurae-init are. */
  readonly shimDir: string;
  /** Knows the library directory; cells and runs are entered there. */
  readonly logs: FileLogStore;
  /**
   * The cgroup that ours goes below, in every hierarchy: a path such as "/", or "auto": the
   * service's own when systemd started us, else "/". "auto" when absent.
   */
  readonly cgroupParent?: string;
  /** What is odd but no reason to stop, one sentence each; for the log. */
  readonly warn: (message: string) => void;
}

/** The machine, as the kernel has it. It owns connections only: cells outlive it. */
export class LinuxHost implements CellHost, AsyncDisposable {
  readonly cgroupV2: boolean;

  /** @throws Failure `wrong-state` when a directory is too long for sockets, or no cgroups are mounted */
  constructor(_options: LinuxHostOptions) {
    this.cgroupV2 = false;
  }

  enclose(_request: EncloseRequest): Promise<Enclosure> {
    return Promise.reject(new Error("not yet"));
  }

  adopt(): Promise<readonly AdoptedCell[]> {
    return Promise.reject(new Error("not yet"));
  }

  /** Hang up on every supervisor. The cells go on. */
  async [Symbol.asyncDispose](): Promise<void> {}
}
