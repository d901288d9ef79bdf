import type { SpiffeId, TrustDomain } from "@aurae/pki/spiffe-id";
import type { ListenAddress } from "./listen-address.ts";
import type { LogLevel } from "./log-level.ts";

/** All that the daemon can be told, with nothing left open. Paths are absolute. */
export interface Config {
  readonly socket: string;
  readonly listen: ListenAddress | undefined;
  readonly runtimeDir: string;
  readonly libraryDir: string;
  readonly caCrt: string;
  readonly serverCrt: string;
  readonly serverKey: string;
  readonly logLevel: LogLevel;
  readonly freeOnExit: boolean;
  /** A path below which cgroups go, or "auto". */
  readonly cgroupParent: string;
  readonly trustDomain: TrustDomain;
  /** Who a client's certificate without a URI speaks for, by its common name. */
  readonly identities: ReadonlyMap<string, SpiffeId>;
  readonly logs: LogsConfig;
}

/** How the logs of executables are kept; what is undefined is decided where they are kept. */
export interface LogsConfig {
  readonly segmentBytes: number | undefined;
  readonly segmentsKept: number | undefined;
  readonly maxAgeMs: number | undefined;
  readonly maxBytes: number | undefined;
  readonly maxCells: number | undefined;
}

/** A part of a configuration: what a file or the command line says. */
export type PartialConfig = Partial<Omit<Config, "logs">> & { readonly logs?: Partial<LogsConfig> };
