import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cells } from "@aurae/domain/cells";
import {
  Gate,
  type LogEntry,
  LogHistory,
  type LogKey,
  type LogQuery,
  type LogStore,
  Logs,
} from "@aurae/domain/observe";
import { FakeHost } from "@aurae/domain/testing";
import {
  type Authority,
  createAuthority,
  issueClientCertificate,
  issueServerCertificate,
} from "@aurae/pki";
import { parseSpiffeId, parseTrustDomain } from "@aurae/pki/spiffe-id";
import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type CallOptions,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
} from "@grpc/grpc-js";
import { type Logger, pino } from "pino";
import { readTlsFiles, type TlsPaths } from "../access/tls-files.ts";
import type { ListenAddress } from "../config/listen-address.ts";
import { logEvents } from "../logging/cell-events.ts";
import { Readiness } from "../services/readiness.ts";
import { Front } from "./front.ts";

/** A certificate with its key, in PEM. */
export interface Pair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** A log that holds what a test put there; a reader that follows waits for its end. */
export class FakeLogStore implements LogStore {
  readonly entries: LogEntry[] = [];
  /** Readers whose generators have not ended. */
  open = 0;
  /** Opens when a reader's generator has ended. */
  readonly readerEnded: Gate = new Gate();
  key: LogKey | undefined;

  async *read(
    _key: LogKey,
    query: LogQuery,
    _run: unknown,
    signal: AbortSignal,
  ): AsyncGenerator<LogEntry> {
    this.open += 1;
    try {
      yield* this.entries;
      if (query.follow) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    } finally {
      this.open -= 1;
      this.readerEnded.open();
    }
  }

  findByPid(): LogKey | undefined {
    return this.key;
  }

  findByName(): LogKey | undefined {
    return this.key;
  }
}

/** A daemon's front on a real Unix socket with real TLS, over a host that is none. */
export class NodeUnderTest implements AsyncDisposable {
  readonly directory: string;
  readonly authority: Authority;
  readonly host: FakeHost = new FakeHost();
  readonly store: FakeLogStore = new FakeLogStore();
  readonly history: LogHistory = new LogHistory();
  readonly readiness: Readiness = new Readiness();
  readonly cells: Cells;
  /** Every record of the log, parsed. */
  readonly records: Record<string, unknown>[] = [];
  readonly log: Logger;
  readonly #clients: Client[] = [];
  #front: Front | undefined;

  private constructor(directory: string, authority: Authority) {
    this.directory = directory;
    this.authority = authority;
    const write = (line: string) => {
      this.records.push(JSON.parse(line) as Record<string, unknown>);
    };
    this.log = pino({ base: null, level: "debug" }, { write });
    this.cells = new Cells(this.host, logEvents(this.log));
  }

  static async start(listen?: ListenAddress): Promise<NodeUnderTest> {
    const directory = await mkdtemp(join(tmpdir(), "auraed-"));
    const node = new NodeUnderTest(directory, await createAuthority());
    await node.writeServer(node.authority);
    node.#front = await Front.open(
      {
        ...{ cells: node.cells, logs: new Logs(node.cells, node.store) },
        ...{ history: node.history, readiness: node.readiness },
      },
      {
        socket: node.socket,
        listen,
        tls: readTlsFiles(node.paths),
        callers: {
          trustDomain: parseTrustDomain("aurae.local"),
          identities: new Map([["nova", parseSpiffeId("spiffe://aurae.local/user/nova")]]),
        },
        log: node.log,
      },
    );
    return node;
  }

  get front(): Front {
    if (this.#front === undefined) throw new Error("the node has not started");
    return this.#front;
  }

  get socket(): string {
    return join(this.directory, "aurae.sock");
  }

  get paths(): TlsPaths {
    return {
      caCrt: join(this.directory, "ca.crt"),
      serverCrt: join(this.directory, "server.crt"),
      serverKey: join(this.directory, "server.key"),
    };
  }

  /** Issue the server's certificate anew; the clients' authority stays or changes with it. */
  async writeServer(authority: Authority): Promise<void> {
    const server = await issueServerCertificate(authority, { hostname: "node" });
    await writeFile(this.paths.caCrt, authority.certificatePem);
    await writeFile(this.paths.serverCrt, server.certificatePem);
    await writeFile(this.paths.serverKey, server.privateKeyPem, { mode: 0o600 });
  }

  /** A client with that certificate; by default a good one. Null: without any. */
  async connect(pair?: Pair | null, target = `unix:${this.socket}`): Promise<TestClient> {
    const own = pair === undefined ? await issueClientCertificate(this.authority) : pair;
    const ca = Buffer.from(this.authority.certificatePem);
    const key = own === null ? null : Buffer.from(own.privateKeyPem);
    const certificate = own === null ? null : Buffer.from(own.certificatePem);
    const client = new Client(target, credentials.createSsl(ca, key, certificate), {
      "grpc.ssl_target_name_override": "localhost",
      "grpc.default_authority": "localhost",
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
    });
    this.#clients.push(client);
    return new TestClient(client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.front[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true });
  }
}

/** Calls by descriptor, as a client of any origin would make them. */
export class TestClient {
  readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }

  call<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
    options: CallOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<MessageShape<Output>> {
    const path = `/${method.parent.typeName}/${method.name}`;
    const { write, read } = codecOf(method);
    return new Promise((resolve, reject) => {
      const call = this.client.makeUnaryRequest(
        ...[path, write, read, request, new Metadata(), options],
        (error, response) => {
          if (response === undefined) reject(error);
          else resolve(response);
        },
      );
      options.signal?.addEventListener("abort", () => call.cancel(), { once: true });
    });
  }

  stream<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodServerStreaming<Input, Output>,
    request: MessageInitShape<Input>,
  ): ClientReadableStream<MessageShape<Output>> {
    const path = `/${method.parent.typeName}/${method.name}`;
    const { write, read } = codecOf(method);
    return this.client.makeServerStreamRequest(path, write, read, request);
  }
}

function codecOf<Input extends DescMessage, Output extends DescMessage>({
  input,
  output,
}: {
  readonly input: Input;
  readonly output: Output;
}) {
  return {
    write: (message: MessageInitShape<Input>): Buffer =>
      Buffer.from(toBinary(input, create(input, message))),
    read: (bytes: Buffer): MessageShape<Output> => fromBinary(output, bytes),
  };
}

/** All that a stream says; rejects as it ends. */
export async function collect<T>(stream: ClientReadableStream<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream as AsyncIterable<T>) items.push(item);
  return items;
}
