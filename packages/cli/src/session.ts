import type { Node } from "@aurae/client";
import type { Command } from "commander";
import { readGlobalFlags } from "./flags.ts";

/** Connect to the daemon that flags, environment and configuration name. Whoever opens, disposes. */
export async function openNode(command: Command, signal?: AbortSignal): Promise<Node> {
  const { socket, caCrt, clientCrt, clientKey, serverName, config } = readGlobalFlags(command);
  // Loaded here and not above: help has no need of it.
  const { connect } = await import("@aurae/client");
  return connect({ socket, caCrt, clientCrt, clientKey, serverName, config, signal });
}
