import { once } from "node:events";
import { Failure } from "@aurae/domain/errors";
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  Metadata,
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import type { Logger } from "pino";
import type {
  CallContext,
  ServiceImpl,
  StreamHandler,
  UnaryHandler,
} from "../services/service-impl.ts";
import {
  type CallStatus,
  callerLeft,
  deadlinePassed,
  EdgeError,
  malformed,
  toStatus,
  unexpected,
} from "../services/status.ts";
import { Admission } from "./call-gate.ts";
import type { OpenCall, OpenCalls } from "./open-calls.ts";
import { toServiceError } from "./status-details.ts";

/** A request as it came. Without a message, its bytes were none of its type. */
interface Received {
  readonly message?: MessageShape<DescMessage>;
}

type UnaryCall = ServerUnaryCall<Received, Buffer>;
type StreamCall = ServerWritableStream<Received, Buffer>;

/**
 * Serve a protobuf-es service on grpc-js: the one place where the two meet. A handler gets its
 * message and a signal, and answers or throws; whatever it does, the process goes on.
 */
export class Adapter {
  readonly #server: Server;
  readonly #calls: OpenCalls;
  readonly #log: Logger;

  constructor(server: Server, calls: OpenCalls, log: Logger) {
    this.#server = server;
    this.#calls = calls;
    this.#log = log;
  }

  add<Service extends DescService>(service: Service, impl: ServiceImpl<Service>): void {
    for (const method of service.methods) this.#addMethod(service, method, impl);
  }

  #addMethod(service: DescService, method: DescMethod, impl: object): void {
    const path = `/${service.typeName}/${method.name}`;
    const { input, output } = method;
    // ServiceImpl has made sure that the handler of this name fits the method.
    const handler: unknown = Reflect.get(impl, method.localName);
    switch (method.methodKind) {
      case "unary": {
        const handle = this.#unary(path, output, handler as UnaryHandler<DescMessage, DescMessage>);
        this.#server.register(path, handle, asItIs, readerOf(input), "unary");
        return;
      }
      case "server_streaming": {
        const stream = handler as StreamHandler<DescMessage, DescMessage>;
        const handle = this.#streaming(path, output, stream);
        this.#server.register(path, handle, asItIs, readerOf(input), "serverStream");
        return;
      }
      case "client_streaming":
      case "bidi_streaming":
        throw new TypeError(`Cannot serve ${path}: it streams requests`);
      default:
        throw new TypeError(`Cannot serve ${path}: its kind is not known`);
    }
  }

  #unary(path: string, output: DescMessage, handler: UnaryHandler<DescMessage, DescMessage>) {
    return (call: UnaryCall, callback: sendUnaryData<Buffer>): void => {
      void this.#answer(path, output, handler, call, callback);
    };
  }

  #streaming(path: string, output: DescMessage, handler: StreamHandler<DescMessage, DescMessage>) {
    return (call: StreamCall): void => {
      void this.#stream(path, output, handler, call);
    };
  }

  /** Never rejects: grpc-js would let the process die of it. */
  async #answer(
    path: string,
    output: DescMessage,
    handler: UnaryHandler<DescMessage, DescMessage>,
    call: UnaryCall,
    callback: sendUnaryData<Buffer>,
  ): Promise<void> {
    using open = this.#begin(call);
    try {
      const response = await handler(messageOf(call), contextOf(call, open));
      callback(null, toBytes(output, response));
    } catch (cause) {
      callback(toServiceError(this.#toCallStatus(path, cause, open)));
    }
  }

  async #stream(
    path: string,
    output: DescMessage,
    handler: StreamHandler<DescMessage, DescMessage>,
    call: StreamCall,
  ): Promise<void> {
    using open = this.#begin(call);
    try {
      // Otherwise the headers wait for the first item, and the caller for the headers.
      call.sendMetadata(new Metadata());
      for await (const item of handler(messageOf(call), contextOf(call, open))) {
        if (call.cancelled) return;
        if (!call.write(toBytes(output, item))) await drained(call, open.signal);
      }
      if (open.abortedWith === undefined) call.end();
      else call.emit("error", toServiceError(open.abortedWith));
    } catch (cause) {
      call.emit("error", toServiceError(this.#toCallStatus(path, cause, open)));
    }
  }

  /** A call until its handler has ended; "cancelled" comes when the caller leaves or is late. */
  #begin(call: UnaryCall | StreamCall): OpenCall {
    const open = this.#calls.begin();
    const deadline = Number(call.getDeadline());
    call.once("cancelled", () => open.abort(Date.now() >= deadline ? deadlinePassed : callerLeft));
    return open;
  }

  #toCallStatus(path: string, cause: unknown, { abortedWith }: OpenCall): CallStatus {
    if (cause instanceof EdgeError) return cause.status;
    if (cause instanceof Failure) {
      if (cause.kind === "cancelled" && abortedWith !== undefined) return abortedWith;
      if (cause.kind === "host")
        this.#log.error({ method: path.slice(1), err: cause }, "host failed");
      return toStatus(cause);
    }
    if (abortedWith !== undefined && cause instanceof Error && cause.name === "AbortError")
      return abortedWith;
    this.#log.error({ method: path.slice(1), err: cause }, "unexpected error");
    return unexpected;
  }
}

/** grpc-js answers INTERNAL for what does not parse, so it is answered later. */
function readerOf(input: DescMessage): (bytes: Buffer) => Received {
  return (bytes) => {
    try {
      return { message: fromBinary(input, bytes) };
    } catch {
      return {};
    }
  };
}

function messageOf({ request }: UnaryCall | StreamCall): MessageShape<DescMessage> {
  if (request.message === undefined) throw new EdgeError(malformed);
  return request.message;
}

function contextOf(call: UnaryCall | StreamCall, { signal }: OpenCall): CallContext {
  const admission = call.getAuthContext();
  if (!(admission instanceof Admission)) throw new TypeError("Cannot serve: no gate was passed");
  const { connection, record } = admission;
  const { identity, listener } = connection;
  return { signal, identity, listener, about: (subject) => record.about(subject) };
}

/** Bytes here, and not in the serializer: what fails there is neither logged nor counted. */
function toBytes(output: DescMessage, message: MessageInitShape<DescMessage>): Buffer {
  const bytes = toBinary(output, create(output, message));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function asItIs(bytes: Buffer): Buffer {
  return bytes;
}

/** The reader has taken what was written: so a slow one holds its own stream only. */
async function drained(call: StreamCall, signal: AbortSignal): Promise<void> {
  await once(call, "drain", { signal });
}
