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
