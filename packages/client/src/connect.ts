import { defaultServerName, parseAddress } from "./address.ts";
import { openChannel } from "./channel.ts";
import { type ConfigSources, type GivenConnection, resolveConnection } from "./config.ts";
import { readCredentials } from "./credentials.ts";
import { Node } from "./node.ts";

/** With whom to speak; what is absent comes from the environment, a configuration file or defaults. */
export interface ConnectOptions extends GivenConnection, ConfigSources {
  /** How long the daemon may take to accept the connection. Absent: 10000. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Connect to a daemon over mutual TLS, on a Unix socket or by TCP.
 *
 * @throws {Invalid} when the configuration or a certificate file is missing or broken,
 * {@link Unavailable} when nobody listens, {@link Denied} when one side does not trust the other.
 */
export async function connect(options: ConnectOptions = {}): Promise<Node> {
  const connection = await resolveConnection(options, options);
  const address = parseAddress(connection.socket);
  const credentials = await readCredentials(connection);
  const serverName = connection.serverName ?? defaultServerName(address);
  const peer = { address, credentials, serverName };
  return new Node(await openChannel(peer, options.timeoutMs ?? 10_000, options.signal));
}
