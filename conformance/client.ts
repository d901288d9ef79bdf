import { readFileSync } from "node:fs";
import { ErrorInfoSchema } from "@aurae/api/error-details";
import { Observe } from "@aurae/api/observe";
import {
  type CellSchema,
  CellService,
  type ExecutableSchema,
  type RunEnd,
} from "@aurae/api/runtime";
import { StatusSchema } from "@aurae/api/status";
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
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  Client,
  type ClientReadableStream,
  credentials,
  type ServiceError,
  status,
} from "@grpc/grpc-js";

/** Where a daemon is reached, and with which files. */
export interface Door {
  /** For gRPC: `unix:/…`. */
  readonly unixTarget: string;
  /** Of a client that the daemon knows. */
  readonly client: { readonly ca: string; readonly certificate: string; readonly key: string };
}

/** A client of the wire and nothing else: what it finds, any client finds. */
export class WireClient implements Disposable {
  readonly #client: Client;

  constructor({ unixTarget, client }: Door) {
    const [ca, key, certificate] = [client.ca, client.key, client.certificate].map((path) =>
      readFileSync(path),
    );
    const secure = credentials.createSsl(ca, key, certificate);
    this.#client = new Client(unixTarget, secure, { "grpc.ssl_target_name_override": "localhost" });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  /** Call a method; rejects with grpc-js' ServiceError. */
  call<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
    timeoutMs = 60_000,
  ): Promise<MessageShape<Output>> {
    const { input, output } = method;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest<MessageShape<Input>, MessageShape<Output>>(
        pathOf(method),
        (message) => Buffer.from(toBinary(input, message)),
        (bytes) => fromBinary(output, bytes),
        create(input, request),
        { deadline: Date.now() + timeoutMs },
        (error, response) =>
          response === undefined ? reject(error ?? new Error("no answer")) : resolve(response),
      );
    });
  }

  /** All that a stream sends until it ends. */
  async all<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodServerStreaming<Input, Output>,
    request: MessageInitShape<Input>,
  ): Promise<readonly MessageShape<Output>[]> {
    const stream = this.open(method, request);
    return Array.fromAsync(stream as AsyncIterable<MessageShape<Output>>);
  }

  /** A stream, to be read at the caller's pace; it asks for no more than is read. */
  open<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodServerStreaming<Input, Output>,
    request: MessageInitShape<Input>,
  ): ClientReadableStream<MessageShape<Output>> {
    const { input, output } = method;
    return this.#client.makeServerStreamRequest<MessageShape<Input>, MessageShape<Output>>(
      pathOf(method),
      (message) => Buffer.from(toBinary(input, message)),
      (bytes) => fromBinary(output, bytes),
      create(input, request),
      { deadline: Date.now() + 60_000 },
    );
  }

  /** Allocate a cell, with what it is asked for. */
  async allocate(cell: MessageInitShape<typeof CellSchema>): Promise<void> {
    await this.call(CellService.method.allocate, { cell });
  }

  async free(cellName: string, graceMs?: number): Promise<void> {
    const grace = graceMs === undefined ? {} : { graceMs };
    await this.call(CellService.method.free, { cellName, ...grace });
  }

  /** Run a script in a cell to its end: what it printed on both channels, and how it ended. */
  async run(
    cellName: string,
    script: string,
    more: MessageInitShape<typeof ExecutableSchema> = {},
  ): Promise<{ readonly lines: readonly string[]; readonly end: RunEnd | undefined }> {
    const executable = { name: "main", command: script, cellName, ...more };
    const { run } = await this.call(CellService.method.start, { executable });
    const one = { cellName, executableName: "main", run };
    const { executables } = await this.call(CellService.method.wait, one);
    const items = await this.all(Observe.method.getSubProcessStream, { ...one, allChannels: true });
    return { lines: items.map(({ line }) => line), end: executables[0]?.end };
  }
}

/** How a call was answered. */
export interface Answer {
  readonly code: status;
  readonly message: string;
  /** From its ErrorInfo. */
  readonly reason: string | undefined;
}

/** Wait until a call is answered, also when that is an error. */
export async function answerTo(call: Promise<unknown>): Promise<Answer> {
  try {
    await call;
    return { code: status.OK, message: "", reason: undefined };
  } catch (error) {
    const { code, details, metadata } = error as ServiceError;
    const [bytes] = metadata.get("grpc-status-details-bin");
    const more = Buffer.isBuffer(bytes) ? fromBinary(StatusSchema, bytes).details : [];
    const [info] = more.flatMap((any) => anyUnpack(any, ErrorInfoSchema) ?? []);
    return { code, message: details, reason: info?.reason };
  }
}

function pathOf({
  parent,
  name,
}: {
  readonly parent: { readonly typeName: string };
  readonly name: string;
}): string {
  return `/${parent.typeName}/${name}`;
}
