import type { WireClient } from "../client.ts";
import type { Daemon } from "../daemon.ts";
import type { Counts } from "./counts.ts";
import type { Finding } from "./findings.ts";
import type { Model } from "./model.ts";

/** One daemon that is tortured, and what is known of it. */
export interface World {
  daemon: Daemon;
  client: WireClient;
  readonly model: Model;
  readonly counts: Counts;
  /** What was done so far, and what came of it; told when something is found. */
  readonly steps: string[];
  /** What the round has found so far. */
  readonly findings: Finding[];
}
