import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";

/** What a handler knows of a call besides its message. */
export interface CallContext {
  /** Aborts when the caller has left, its deadline has passed, or the daemon stops. */
  readonly signal: AbortSignal;
  /** The caller's SPIFFE ID: from its certificate, or from the configuration for its common name. */
  readonly identity: string;
  /** What the call is about, for the log, when its message does not say. */
  readonly about: (subject: CallSubject) => void;
  /** Where the caller came in: "unix" or "tcp". */
  readonly listener: string;
}

/** What the log says that a call is about. */
export interface CallSubject {
  readonly cell?: string;
  readonly cellId?: string;
  readonly executable?: string;
  readonly run?: number;
}

/**
 * A service as plain functions, typed by what the generator wrote: a promise of the answer, or a
 * generator of the items of a stream. Handlers throw `Failure`, and see nothing of gRPC.
 */
export type ServiceImpl<Service extends DescService> = {
  readonly [Name in keyof Service["method"]]: Service["method"][Name] extends DescMethodUnary<
    infer Input,
    infer Output
  >
    ? UnaryHandler<Input, Output>
    : Service["method"][Name] extends DescMethodServerStreaming<infer Input, infer Output>
      ? StreamHandler<Input, Output>
      : never;
};

export type UnaryHandler<Input extends DescMessage, Output extends DescMessage> = (
  request: MessageShape<Input>,
  context: CallContext,
) => Promise<MessageInitShape<Output>>;

export type StreamHandler<Input extends DescMessage, Output extends DescMessage> = (
  request: MessageShape<Input>,
  context: CallContext,
) => AsyncGenerator<MessageInitShape<Output>>;
