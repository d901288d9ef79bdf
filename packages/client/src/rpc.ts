import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import { type Client, type CallOptions as GrpcCallOptions, Metadata } from "@grpc/grpc-js";
import { clientDomain, Invalid } from "./errors.ts";
import { toAuraeError } from "./status.ts";

/** What every call takes beside its request. */
export interface CallOptions {
  /** Gives the call up: the call throws the signal's reason. What it does may still happen. */
  readonly signal?: AbortSignal | undefined;
  /** Gives the call up with `Timeout`. Absent: no limit. */
  readonly timeoutMs?: number | undefined;
}

/** What a call takes that changes something. */
export interface ChangeOptions extends CallOptions {
  /**
   * 1–64 letters, digits, dots, underscores and hyphens, such as `crypto.randomUUID()`. Sending the same
   * request again under the same id answers what the first was answered, and does nothing twice.
   */
  readonly requestId?: string | undefined;
}

/** A request id as a part of a request. */
export function toRequestId({ requestId }: ChangeOptions): { readonly requestId?: string } {
  return requestId === undefined ? {} : { requestId };
}

type UnaryCall<Input extends DescMessage, Output extends DescMessage> = (
  request: MessageInitShape<Input>,
  options?: CallOptions,
) => Promise<MessageShape<Output>>;

type StreamCall<Input extends DescMessage, Output extends DescMessage> = (
  request: MessageInitShape<Input>,
  options?: CallOptions,
) => AsyncGenerator<MessageShape<Output>, void, undefined>;

type MethodsOf<Service> = Service extends GenService<infer Methods> ? Methods : never;

/**
 * A service as functions, one for each method of its proto. A stream is an async iterator: the call
 * begins with the first item that is asked for, the daemon is only read as fast as the loop runs,
 * and leaving the loop cancels the call.
 */
export type RpcClient<Service extends GenService<GenServiceMethods>> = {
  readonly [Name in keyof MethodsOf<Service>]: MethodsOf<Service>[Name] extends {
    methodKind: "unary";
    input: infer Input extends DescMessage;
    output: infer Output extends DescMessage;
  }
    ? UnaryCall<Input, Output>
    : MethodsOf<Service>[Name] extends {
          methodKind: "server_streaming";
          input: infer Input extends DescMessage;
          output: infer Output extends DescMessage;
        }
      ? StreamCall<Input, Output>
      : never;
};

/** A channel, and the calls that run on it: closing a channel of grpc-js ends none of them. */
export interface Wire {
  readonly channel: Client;
  readonly running: Set<{ cancel(): void }>;
}

/** Make the functions of a service from what the generator wrote about it. The wire stays the caller's. */
export function createRpcClient<Service extends GenService<GenServiceMethods>>(
  wire: Wire,
  service: Service,
): RpcClient<Service> {
  const calls = service.methods.map((method) => [method.localName, createCall(wire, method)]);
  return Object.freeze(Object.fromEntries(calls)) as RpcClient<Service>;
}

function createCall(wire: Wire, method: DescMethod): unknown {
  const kind = method.methodKind;
  switch (kind) {
    case "unary":
      return createUnaryCall(wire, method);
    case "server_streaming":
      return createStreamCall(wire, method);
    case "client_streaming":
    case "bidi_streaming":
      throw new TypeError(`Cannot call ${method.name}: streams of requests are not supported`);
    default:
      return kind satisfies never;
  }
}

function createUnaryCall(
  { channel, running: all }: Wire,
  method: DescMethod,
): UnaryCall<DescMessage, DescMessage> {
  const { path, write, read } = describe(method);
  return function call(request, { signal, timeoutMs } = {}) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const options = toGrpcOptions(timeoutMs);
      const running = channel.makeUnaryRequest(
        path,
        asTheyAre,
        read,
        write(request),
        new Metadata(),
        options,
        (error, answer) => {
          all.delete(running);
          signal?.removeEventListener("abort", cancel);
          if (answer !== undefined) resolve(answer);
          else reject(toThrown(error, signal));
        },
      );
      all.add(running);
      function cancel(): void {
        running.cancel();
      }
      signal?.addEventListener("abort", cancel, { once: true });
    });
  };
}

function createStreamCall(
  { channel, running: all }: Wire,
  method: DescMethod,
): StreamCall<DescMessage, DescMessage> {
  const { path, write, read } = describe(method);
  return async function* call(request, { signal, timeoutMs } = {}) {
    signal?.throwIfAborted();
    const options = toGrpcOptions(timeoutMs);
    const running = channel.makeServerStreamRequest(
      path,
      asTheyAre,
      read,
      write(request),
      new Metadata(),
      options,
    );
    all.add(running);
    function cancel(): void {
      running.cancel();
    }
    signal?.addEventListener("abort", cancel, { once: true });
    // What arrives after the loop was left has no reader, and would end the process.
    running.on("error", () => undefined);
    try {
      for await (const message of running) yield message as MessageShape<DescMessage>;
    } catch (cause) {
      throw toThrown(cause, signal);
    } finally {
      all.delete(running);
      signal?.removeEventListener("abort", cancel);
      cancel();
    }
  };
}

interface MethodOnWire {
  readonly path: string;
  readonly write: (request: MessageInitShape<DescMessage>) => Buffer;
  readonly read: (bytes: Buffer) => MessageShape<DescMessage>;
}

function describe({ parent, name, input, output }: DescMethod): MethodOnWire {
  return {
    path: `/${parent.typeName}/${name}`,
    write: (request) => {
      try {
        const { buffer, byteOffset, byteLength } = toBinary(input, create(input, request));
        return Buffer.from(buffer, byteOffset, byteLength);
      } catch (cause) {
        throw cannotWrite(name, cause);
      }
    },
    read: (bytes) => fromBinary(output, bytes),
  };
}

/** A value that the wire has no room for, such as a pid of 2^40. */
function cannotWrite(method: string, cause: unknown): Invalid {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Invalid("INVALID_ARGUMENT", `Cannot write the request of ${method}: ${why}`, {
    reason: "FIELD_INVALID",
    domain: clientDomain,
    cause,
  });
}

function asTheyAre(bytes: Buffer): Buffer {
  return bytes;
}

function toGrpcOptions(timeoutMs: number | undefined): GrpcCallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function toThrown(cause: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted ? signal.reason : toAuraeError(cause);
}
