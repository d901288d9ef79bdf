import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { connect as connectTls } from "node:tls";
import {
  type GetSubProcessStreamRequest,
  GetSubProcessStreamRequestSchema,
  Observe,
} from "@aurae/api/observe";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Daemon } from "../daemon.ts";

/** Of a stream: what the daemon may send before it has to wait for the reader. */
const windowBytes = 1024;

/**
 * A connection for many readers of logs by HTTP/2 alone: a gRPC client has buffers of its own, which
 * hide from the daemon that nobody reads.
 */
export class RawReaders implements AsyncDisposable {
  readonly #session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  static async connect({ unixTarget, client }: Daemon): Promise<RawReaders> {
    const [ca, key, cert] = [client.ca, client.key, client.certificate].map((path) =>
      readFileSync(path),
    );
    const path = unixTarget.replace(/^unix:/, "");
    const options = { path, ca, key, cert, servername: "localhost", ALPNProtocols: ["h2"] };
    const session = connect("https://localhost", {
      createConnection: () => connectTls(options),
      settings: { initialWindowSize: windowBytes },
    });
    await once(session, "connect");
    // One window is of the connection: those who do not read would hold up those who do.
    session.setLocalWindowSize(2 ** 28);
    return new RawReaders(session);
  }

  /** Ask for a log; nothing is read until the caller does. */
  open(request: MessageInitShape<typeof GetSubProcessStreamRequestSchema>): ClientHttp2Stream {
    const { parent, name } = Observe.method.getSubProcessStream;
    const stream = this.#session.request({
      ":method": "POST",
      ":path": `/${parent.typeName}/${name}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    // A reader that leaves is reset, which is what the tests want.
    stream.on("error", () => undefined);
    stream.end(frameOf(create(GetSubProcessStreamRequestSchema, request)));
    return stream;
  }

  /** Leave, with all streams open. */
  drop(): void {
    this.#session.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#session.destroyed) return;
    this.#session.destroy();
    await once(this.#session, "close");
  }
}

/** A message as gRPC has it: not compressed, length, bytes. */
function frameOf(request: GetSubProcessStreamRequest): Buffer {
  const bytes = toBinary(GetSubProcessStreamRequestSchema, request);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
