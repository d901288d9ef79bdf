import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { connect as connectTls } from "node:tls";
import {
  type GetSubProcessStreamRequest,
  GetSubProcessStreamRequestSchema,
  type LogItem,
  LogItemSchema,
  Observe,
} from "@aurae/api/observe";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Daemon } from "../daemon.ts";
import { until } from "./kernel-says.ts";

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

  /** Ask for a log. */
  open(request: MessageInitShape<typeof GetSubProcessStreamRequestSchema>): RawReader {
    const { parent, name } = Observe.method.getSubProcessStream;
    const stream = this.#session.request({
      ":method": "POST",
      ":path": `/${parent.typeName}/${name}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(frameOf(create(GetSubProcessStreamRequestSchema, request)));
    return new RawReader(stream);
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

/** A stream of which nothing is read until the caller does. */
export class RawReader {
  readonly #stream: ClientHttp2Stream;
  #isAnswered = false;

  constructor(stream: ClientHttp2Stream) {
    this.#stream = stream;
    stream.once("response", () => {
      this.#isAnswered = true;
    });
    // A reader that leaves is reset, which is what the tests want.
    stream.on("error", () => undefined);
  }

  /** Whether the daemon has sent as much as it may, and has to wait for us. */
  get isStalled(): boolean {
    return this.#isAnswered && this.#stream.state.localWindowSize === 0;
  }

  /** The items, read as they are taken, to the end. */
  async *items(): AsyncGenerator<LogItem, void, undefined> {
    let held: Buffer = Buffer.alloc(0);
    for await (const bytes of this.#stream as AsyncIterable<Buffer>) {
      held = Buffer.concat([held, bytes]);
      for (let end = endOf(held); end <= held.length; end = endOf(held)) {
        yield fromBinary(LogItemSchema, held.subarray(headBytes, end));
        held = held.subarray(end);
      }
    }
  }

  /** Leave, and say so. */
  async close(): Promise<void> {
    this.#stream.close(constants.NGHTTP2_CANCEL);
    await once(this.#stream, "close");
  }
}

/** Wait until none of them can be sent more. */
export async function stalled(readers: readonly RawReader[]): Promise<void> {
  await until(
    () => readers.filter(({ isStalled }) => !isStalled).length,
    (left) => left === 0,
  );
}

/** Before a message gRPC has: it is not compressed, its length. */
const headBytes = 5;

function frameOf(request: GetSubProcessStreamRequest): Buffer {
  const bytes = toBinary(GetSubProcessStreamRequestSchema, request);
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Where the first message ends; beyond all bytes when that is not known yet. */
function endOf(bytes: Buffer): number {
  return bytes.length < headBytes ? headBytes : headBytes + bytes.readUInt32BE(1);
}
