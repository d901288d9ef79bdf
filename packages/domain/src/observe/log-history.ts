/** A record that the daemon logged about itself. */
export interface LogRecord {
  /** Nanoseconds since the UNIX epoch. */
  readonly atNs: bigint;
  /** JSON, one line. */
  readonly text: string;
}
