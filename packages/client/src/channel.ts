import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { type ChannelOptions, Client, connectivityState, credentials } from "@grpc/grpc-js";
import { formatAddress, toTarget } from "./address.ts";
import { clientDomain, Timeout } from "./errors.ts";
import { explainRefusal } from "./explain-refusal.ts";
import type { Peer } from "./peer.ts";

/** A List of a full node is larger than the 4 MiB of grpc-js. */
const maxAnswerBytes = 64 * 1024 * 1024;

/**
 * Open a channel and wait until the daemon has accepted it. Later, a lost link is opened again by
 * the next call. Whoever opens, closes.
 *
 * @throws {Unavailable} when nobody listens, {@link Denied} when one side does not trust the other.
 */
export async function openChannel(
  peer: Peer,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Client> {
  signal?.throwIfAborted();
  const { context } = peer.credentials;
  function verify(_host: string, certificate: PeerCertificate): Error | undefined {
    return checkServerIdentity(peer.serverName, certificate);
  }
  const channel = new Client(
    toTarget(peer.address),
    credentials.createFromSecureContext(context, { checkServerIdentity: verify }),
    toChannelOptions(peer),
  );
  try {
    await becomeReady(channel, peer, Date.now() + timeoutMs, signal);
    return channel;
  } catch (cause) {
    channel.close();
    throw cause;
  }
}

function toChannelOptions({ address, serverName }: Peer): ChannelOptions {
  // An IP address is no server name of TLS (RFC 6066 §3); what we check does not depend on it.
  const indicated = isIP(serverName) === 0 ? serverName : "localhost";
  return {
    "grpc.ssl_target_name_override": indicated,
    "grpc.default_authority": address.kind === "unix" ? "localhost" : indicated,
    "grpc.max_receive_message_length": maxAnswerBytes,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    // The link belongs to this channel and ends with it; and no variable of the environment leads it
    // over a proxy.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_http_proxy": 0,
  };
}

/** Fail at the first refusal: trying again for long would only hide the reason. */
async function becomeReady(
  channel: Client,
  peer: Peer,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (;;) {
    const state = channel.getChannel().getConnectivityState(true);
    if (state === connectivityState.READY) return;
    if (state === connectivityState.TRANSIENT_FAILURE) throw await explainRefusal(peer, signal);
    if (state === connectivityState.SHUTDOWN || Date.now() >= deadline) throw tooSlow(peer);
    await nextState(channel, state, deadline, signal);
  }
}

function nextState(
  channel: Client,
  state: connectivityState,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    function abort(): void {
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", abort, { once: true });
    // It calls back with an error at the deadline; the loop above says that better.
    channel.getChannel().watchConnectivityState(state, deadline, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
  });
}

function tooSlow(peer: Peer): Timeout {
  return new Timeout(
    "DEADLINE_EXCEEDED",
    `Cannot reach the daemon at ${formatAddress(peer.address)}: it does not answer`,
    { reason: "DAEMON_SILENT", domain: clientDomain },
  );
}
