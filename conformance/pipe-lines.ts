import { execFileSync } from "node:child_process";
import { constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { createInterface } from "node:readline";

/** A named pipe for lines that programs write. We have both its ends open, so nobody waits for another. */
export class PipeLines implements Disposable {
  readonly path: string;
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;

  constructor(path: string) {
    this.path = path;
    execFileSync("mkfifo", [path]);
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#lines = createInterface({ input: this.#socket })[Symbol.asyncIterator]();
  }

  /** The next line. Rejects when something settles that comes after it. */
  async next(later: Promise<unknown> = new Promise(() => undefined)): Promise<string> {
    const none = later.then(
      () => undefined,
      (cause: unknown) => {
        throw new Error(`Nothing was written to ${this.path}`, { cause });
      },
    );
    const line = await Promise.race([this.#lines.next(), none]);
    if (line === undefined || line.done) throw new Error(`Nothing was written to ${this.path}`);
    return line.value;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
