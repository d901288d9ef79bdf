import { connect, type Node } from "@aurae/client";
import type { Daemon } from "@aurae/conformance/daemon";

/** The SDK's connection to a daemon, as the client that its certificates were made for. */
export function connectTo({ unixTarget, client }: Daemon): Promise<Node> {
  const socket = unixTarget.replace(/^unix:/, "");
  return connect({
    socket,
    caCrt: client.ca,
    clientCrt: client.certificate,
    clientKey: client.key,
  });
}
