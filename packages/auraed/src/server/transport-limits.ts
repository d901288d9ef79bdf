import type { ServerOptions } from "@grpc/grpc-js";

/** A request may be so long; a longer one is RESOURCE_EXHAUSTED before it is read (fault 78). */
export const maxMessageBytes: number = 4 * 1024 ** 2;

/** Connections of one listener, those in a handshake among them (fault 93). */
export const maxConnections = 1024;

/** Calls open at the same time on one connection, log streams among them. */
const maxStreams = 1000;

/** A connection without a call, also one that never made any. */
const maxIdleMs = 60_000;

/** Settings of grpc-js and HTTP/2; its defaults have no bounds. */
export const serverOptions: ServerOptions = {
  "grpc.max_receive_message_length": maxMessageBytes,
  "grpc.max_concurrent_streams": maxStreams,
  // No limit of age: after its GOAWAY a ping fails on either side in grpc-js 1.14, and with it every
  // open stream. The certificate is looked at on each call, and a stream ends with it.
  "grpc.max_connection_idle_ms": maxIdleMs,
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 20_000,
  // In megabytes: beyond it, a connection is refused new calls.
  "grpc-node.max_session_memory": 64,
  // Bookkeeping for a debugging service that we do not offer.
  "grpc.enable_channelz": 0,
};
