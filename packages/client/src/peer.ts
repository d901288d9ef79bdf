import type { Address } from "./address.ts";
import type { Credentials } from "./credentials.ts";

/** Everything that decides with whom we speak, and as whom. */
export interface Peer {
  readonly address: Address;
  readonly credentials: Credentials;
  /** The name that the daemon's certificate has to carry. */
  readonly serverName: string;
}
