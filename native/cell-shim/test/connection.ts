/** A connection to a supervisor, or to the launcher that makes one of it. */
import { connect, type Socket } from "node:net";
import { boot, type Frame, type Run, readRun, type, Writer } from "./frames.ts";

/** A connection to a supervisor, on which every frame that came is kept until somebody asks. */
export class Connection implements AsyncDisposable {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  #held = Buffer.alloc(0);
  readonly #waiting: (() => void)[] = [];
  #request = 0;
  closed = false;

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.on("data", (bytes) => this.#receive(bytes));
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.closed = true;
      this.#wake();
    });
  }

  #receive(bytes: Buffer): void {
    this.#held = Buffer.concat([this.#held, bytes]);
    while (this.#held.length >= 10 && this.#held.length >= 10 + this.#held.readUInt32LE()) {
      const size = 10 + this.#held.readUInt32LE();
      const [type, request] = [this.#held.readUInt16LE(4), this.#held.readUInt32LE(6)];
      this.frames.push({ type, request, payload: this.#held.subarray(10, size) });
      this.#held = this.#held.subarray(size);
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Wait for the first frame that matches, and take it. */
  async take(what: string, match: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const index = this.frames.findIndex(match);
      if (index >= 0) return this.frames.splice(index, 1)[0] as Frame;
      if (this.closed) throw new Error(`connection closed while waiting for ${what}`);
      await new Promise<void>((wake) => this.#waiting.push(wake));
    }
  }

  async end(): Promise<void> {
    while (!this.closed) await new Promise<void>((wake) => this.#waiting.push(wake));
  }

  send(type: number, payload: Buffer): number {
    this.#request += 1;
    this.sendRaw(type, this.#request, payload);
    return this.#request;
  }

  sendRaw(type: number, request: number, payload: Buffer): void {
    const header = Buffer.alloc(10);
    header.writeUInt32LE(payload.length);
    header.writeUInt16LE(type, 4);
    header.writeUInt32LE(request, 6);
    this.socket.write(Buffer.concat([header, payload]));
  }

  hello(id: string): void {
    const hello = new Writer().u32(0x53525541).u16(1).text(id).text(boot).text("test");
    this.sendRaw(type.hello, 0, hello.bytes());
  }

  /** Ask, and return the answer, whichever it is. */
  async ask(type: number, payload: Buffer): Promise<Frame> {
    const request = this.send(type, payload);
    return this.take(`an answer to ${type}`, (frame) => frame.request === request);
  }

  /** Wait for the RUN of a run that has all of `flags`. */
  async run(run: bigint, flags: number): Promise<Run> {
    const frame = await this.take(`run ${run} to be ${flags}`, (frame) => {
      if (frame.type !== type.run) return false;
      const event = readRun(frame);
      return event.run === run && (event.flags & flags) === flags;
    });
    return readRun(frame);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.end();
  }
}
