import { BadRequestSchema, ErrorInfoSchema } from "@aurae/api/error-details";
import { Observe } from "@aurae/api/observe";
import { CellService } from "@aurae/api/runtime";
import { StatusSchema } from "@aurae/api/status";
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";

type Methods = (typeof CellService)["method"] & (typeof Observe)["method"];

type Answer<Method extends DescMethod> = Method["methodKind"] extends "unary"
  ? (
      request: MessageShape<Method["input"]>,
      signal: AbortSignal,
    ) => MessageInitShape<Method["output"]> | Promise<MessageInitShape<Method["output"]>>
  : (
      request: MessageShape<Method["input"]>,
      signal: AbortSignal,
    ) => AsyncIterable<MessageInitShape<Method["output"]>>;

/** What a fake answers; what is left out answers UNIMPLEMENTED. */
export type FakeAnswers = { readonly [Name in keyof Methods]?: Answer<Methods[Name]> };

/** Where and as whom a fake listens: certificates as PEM. */
export interface FakeNodeOptions {
  /** As grpc-js takes it: `unix:/path` or `127.0.0.1:0`. */
  readonly listen: string;
  readonly caCrt: string;
  readonly serverCrt: string;
  readonly serverKey: string;
  readonly answers?: FakeAnswers;
}

/** A daemon that answers what it is told, over real gRPC and mutual TLS, and writes down what it was asked. */
export class FakeNode implements AsyncDisposable {
  /** The names of the methods that were called, in order. */
  readonly calls: string[] = [];
  /** The names of the methods whose caller left before the answer was whole. */
  readonly cancelled: string[] = [];
  /** Of a TCP listener. */
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(options: FakeNodeOptions): Promise<FakeNode> {
    const server = new Server();
    const credentials = ServerCredentials.createSsl(
      Buffer.from(options.caCrt),
      [{ cert_chain: Buffer.from(options.serverCrt), private_key: Buffer.from(options.serverKey) }],
      true,
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(options.listen, credentials, (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    const node = new FakeNode(server, port);
    node.#add(CellService.methods, options.answers ?? {});
    node.#add(Observe.methods, options.answers ?? {});
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }

  #add(methods: readonly DescMethod[], answers: FakeAnswers): void {
    for (const method of methods) {
      const answer = answers[method.localName as keyof FakeAnswers] as AnyAnswer | undefined;
      const { name, parent, input, output, methodKind } = method;
      this.#server.register(
        `/${parent.typeName}/${name}`,
        methodKind === "unary" ? this.#unary(name, answer) : this.#stream(name, answer),
        (message: unknown) =>
          Buffer.from(toBinary(output, create(output, message as MessageInitShape<DescMessage>))),
        (bytes: Buffer) => fromBinary(input, bytes),
        methodKind === "unary" ? "unary" : "serverStream",
      );
    }
  }

  #unary(name: string, answer: AnyAnswer | undefined) {
    return (call: ServerUnaryCall<unknown, unknown>, reply: sendUnaryData<unknown>): void => {
      const signal = this.#begin(name, call);
      Promise.resolve()
        .then(() => (answer ?? unimplemented)(call.request, signal))
        .then(
          (message) => reply(null, message),
          (cause: unknown) => reply(cause as Error),
        );
    };
  }

  #stream(name: string, answer: AnyAnswer | undefined) {
    return (call: ServerWritableStream<unknown, unknown>): void => {
      const signal = this.#begin(name, call);
      this.#write(call, () => (answer ?? unimplemented)(call.request, signal)).catch(
        (cause: unknown) => call.emit("error", cause),
      );
    };
  }

  async #write(call: ServerWritableStream<unknown, unknown>, answer: () => unknown): Promise<void> {
    for await (const message of answer() as AsyncIterable<unknown>) {
      if (call.cancelled) return;
      if (!call.write(message)) await drained(call);
    }
    call.end();
  }

  #begin(
    name: string,
    call: ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>,
  ): AbortSignal {
    this.calls.push(name);
    const left = new AbortController();
    call.on("cancelled", () => {
      // It also fires after success.
      if (call.cancelled) this.cancelled.push(name);
      left.abort();
    });
    return left.signal;
  }
}

type AnyAnswer = (request: unknown, signal: AbortSignal) => unknown;

function drained(call: ServerWritableStream<unknown, unknown>): Promise<void> {
  return new Promise((resolve) => {
    call.once("drain", resolve);
    call.once("cancelled", resolve);
  });
}

/** What a failure of a fake says, in the words of the wire. */
export interface FakeFailureDetails {
  readonly reason?: string;
  readonly metadata?: Record<string, string>;
  readonly violations?: readonly { field: string; description: string; reason: string }[];
}

/** A failure as a daemon sends it, to be thrown by an answer. */
export function fakeFailure(
  code: keyof typeof status,
  message: string,
  { reason = "TEST", metadata = {}, violations = [] }: FakeFailureDetails = {},
): Error {
  const info = create(ErrorInfoSchema, { reason, domain: "aurae.io", metadata });
  const details = [anyPack(ErrorInfoSchema, info)];
  if (violations.length > 0) {
    const bad = create(BadRequestSchema, { fieldViolations: [...violations] });
    details.push(anyPack(BadRequestSchema, bad));
  }
  const bytes = toBinary(
    StatusSchema,
    create(StatusSchema, { code: status[code], message, details }),
  );
  const trailer = new Metadata();
  trailer.set("grpc-status-details-bin", Buffer.from(bytes));
  return Object.assign(new Error(message), {
    code: status[code],
    details: message,
    metadata: trailer,
  });
}

function unimplemented(): never {
  throw fakeFailure("UNIMPLEMENTED", "The fake was not told what to answer");
}
