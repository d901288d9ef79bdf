import type { Socket } from "node:net";
import { errnoOf, inWords } from "../errno.ts";
import { MalformedBytes } from "./bytes.ts";
import { encodeFrame, type Frame, FrameReader, type FrameType, frameTypes } from "./frames.ts";
import {
  encodeHello,
  type Failed,
  type Hello,
  protocolVersion,
  readFailed,
  readHello,
} from "./messages.ts";

/** The other side is gone, or said what nobody understands. What was asked for has no answer. */
export class ChannelClosed extends Error {}

/** The other side ended the connection, without a word of why. */
export class HungUp extends ChannelClosed {}

/** How long a supervisor that undoes what it did may take. */
const finishTimeoutMs = 10_000;

/** What a request becomes when it was refused: for the caller to look at the step. */
export class Refused extends Error {
  readonly failed: Failed;

  constructor(failed: Failed) {
    super(`refused at ${failed.step}: errno ${failed.errno}`);
    this.failed = failed;
  }
}

const closedThere = "it has closed the connection";

function toClosed(cause: Error): ChannelClosed {
  const isHangUp = ["EPIPE", "ECONNRESET"].includes(errnoOf(cause) ?? "");
  return isHangUp ? new HungUp(closedThere) : new ChannelClosed(inWords(cause));
}

interface Waiting {
  readonly answer: FrameType;
  /** Take the payload of the answer. What it throws closes the channel. */
  readonly take: (payload: Buffer) => void;
  readonly reject: (cause: Error) => void;
}

export interface ChannelEvents {
  /** A frame that nobody asked for. What it throws closes the channel. */
  event(frame: Frame): void;
  /** The connection has ended, by whom and whyever; told once, after the hello. */
  closed(cause: ChannelClosed): void;
}

/**
 * One connection to a supervisor: a hello each way, then requests and their answers by number, and
 * events between them. Requests may be sent before the hello has come.
 */
export class Channel {
  readonly #socket: Socket;
  readonly #events: ChannelEvents;
  readonly #reader = new FrameReader();
  readonly #waiting = new Map<number, Waiting>();
  readonly #hello = Promise.withResolvers<Hello>();
  #lastRequest = 0;
  #helloCame = false;
  #closed: ChannelClosed | undefined;

  constructor(socket: Socket, mine: Hello, events: ChannelEvents) {
    this.#socket = socket;
    this.#events = events;
    // Whoever does not await the hello hears of its end by `closed`.
    this.#hello.promise.catch(() => undefined);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (cause) => this.#close(toClosed(cause)));
    socket.on("close", () => this.#close(new HungUp(closedThere)));
    socket.write(encodeHello(mine));
  }

  /** What the other side said of itself. Rejects when it never will. */
  get hello(): Promise<Hello> {
    return this.#hello.promise;
  }

  /**
   * What `read` makes of the answer to a request.
   * @throws Refused when it is FAILED; ChannelClosed when there will be none
   */
  request<Answer>(
    type: FrameType,
    payload: Buffer,
    answer: FrameType,
    read: (payload: Buffer) => Answer,
  ): Promise<Answer> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    const request = ++this.#lastRequest;
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, {
        answer,
        take: (bytes) => resolve(read(bytes)),
        reject,
      });
      this.#socket.write(encodeFrame({ type, request, payload }));
    });
  }

  /** Hang up. The supervisor goes on. */
  close(why = "it was closed here"): void {
    this.#close(new ChannelClosed(why));
  }

  /** Say that nothing more will come, and wait until the other side has left too. */
  async finish(): Promise<void> {
    if (this.#socket.destroyed) return;
    const left = new Promise((resolve) => this.#socket.once("close", resolve));
    this.#socket.end();
    this.#socket.setTimeout(finishTimeoutMs, () => this.#socket.destroy());
    await left;
  }

  #read(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) this.#take(frame);
    } catch (cause) {
      this.#close(cause instanceof ChannelClosed ? cause : new ChannelClosed(inWords(cause)));
    }
  }

  #take(frame: Frame): void {
    if (!this.#helloCame) return this.#takeHello(frame);
    if (frame.request === 0) return this.#events.event(frame);
    const waiting = this.#waiting.get(frame.request);
    if (waiting === undefined) {
      throw new MalformedBytes(`request ${frame.request} was answered but not asked`);
    }
    if (frame.type === frameTypes.failed) {
      waiting.reject(new Refused(readFailed(frame.payload)));
    } else if (frame.type === waiting.answer) {
      waiting.take(frame.payload);
    } else {
      throw new MalformedBytes(`frame ${frame.type} came as an answer, not ${waiting.answer}`);
    }
    this.#waiting.delete(frame.request);
  }

  #takeHello(frame: Frame): void {
    // The launcher answers in the supervisor's place when there is none.
    if (frame.type === frameTypes.failed) {
      const refused = new LaunchRefused(readFailed(frame.payload).errno);
      this.#hello.reject(refused);
      throw refused;
    }
    if (frame.type !== frameTypes.hello) throw new MalformedBytes("its first frame is no hello");
    const hello = readHello(frame.payload);
    if (hello.version !== protocolVersion) {
      throw new MalformedBytes(
        `it speaks version ${hello.version} of the protocol, not ${protocolVersion}`,
      );
    }
    this.#helloCame = true;
    this.#hello.resolve(hello);
  }

  #close(cause: ChannelClosed): void {
    if (this.#closed !== undefined) return;
    this.#closed = cause;
    this.#socket.destroy();
    this.#hello.reject(cause);
    for (const { reject } of this.#waiting.values()) reject(cause);
    this.#waiting.clear();
    this.#events.closed(cause);
  }
}

/** The launcher could not make a supervisor. */
export class LaunchRefused extends ChannelClosed {
  readonly errno: number;

  constructor(errno: number) {
    super(`no supervisor was made: errno ${errno}`);
    this.errno = errno;
  }
}
