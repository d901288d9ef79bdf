import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import {
  encodeFrame,
  type Frame,
  FrameReader,
  type FrameType,
  frameTypes,
} from "../shim/frames.ts";
import { encodeHello, type Hello } from "../shim/messages.ts";

/** What it may do to whoever connects, instead of answering. */
export type Misbehaviour =
  | "closes each connection"
  | "is of another version"
  | "says what nobody understands"
  | "never says anything";

/** A peer that says what a test tells it to: for what no real supervisor would say. */
export class FakeSupervisor implements AsyncDisposable {
  /** What came, in order. */
  readonly frames: Frame[] = [];
  readonly #server: Server;
  readonly #hello: Hello;
  readonly #sockets: Socket[] = [];
  readonly #waiting: (() => void)[] = [];
  #misbehaviour: Misbehaviour | undefined;

  private constructor(server: Server, hello: Hello) {
    this.#server = server;
    this.#hello = hello;
    server.on("connection", (socket) => this.#serve(socket));
  }

  static async listen(path: string, hello: Hello): Promise<FakeSupervisor> {
    const server = createServer();
    server.listen(path);
    await once(server, "listening");
    return new FakeSupervisor(server, hello);
  }

  get connections(): number {
    return this.#sockets.length;
  }

  /** The next frame of a type that nobody has taken. */
  async take(type: FrameType): Promise<Frame> {
    for (;;) {
      const at = this.frames.findIndex((frame) => frame.type === type);
      const [found] = at < 0 ? [] : this.frames.splice(at, 1);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  answer(to: Frame, type: FrameType, payload: Buffer = Buffer.alloc(0)): void {
    this.send(encodeFrame({ type, request: to.request, payload }));
  }

  send(bytes: Buffer): void {
    this.#sockets.at(-1)?.write(bytes);
  }

  /** From now on; undefined to behave again. */
  misbehave(how: Misbehaviour | undefined): void {
    this.#misbehaviour = how;
  }

  /** Cut the connection, and go on listening. */
  cut(): void {
    this.#sockets.at(-1)?.destroy();
  }

  /** Nobody answers here any more. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #serve(socket: Socket): void {
    const reader = new FrameReader();
    this.#sockets.push(socket);
    socket.on("error", () => undefined);
    if (this.#misbehaviour !== undefined) return this.#misserve(socket, this.#misbehaviour);
    socket.on("data", (chunk: Buffer) => {
      for (const frame of reader.push(chunk)) {
        if (frame.type === frameTypes.hello) socket.write(encodeHello(this.#hello));
        else this.frames.push(frame);
      }
      for (const resume of this.#waiting.splice(0)) resume();
    });
  }

  #misserve(socket: Socket, how: Misbehaviour): void {
    socket.resume();
    switch (how) {
      case "closes each connection":
        socket.destroy();
        return;
      case "is of another version":
        socket.write(encodeHello({ ...this.#hello, version: 2 }));
        return;
      case "says what nobody understands":
        socket.write(Buffer.alloc(10, 0xff));
        return;
      case "never says anything":
        return;
      default:
        how satisfies never;
    }
  }
}
