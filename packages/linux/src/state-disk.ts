import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "@aurae/domain/errors";
import { errnoOf, inWords } from "./errno.ts";

/**
 * What a write is answered by a disk that cannot be believed any more: what it took before may be
 * lost. A disk that is full is none: it says so, and has what it took.
 */
const failures: ReadonlySet<string | undefined> = new Set(["EIO", "EROFS"]);

/** How often a disk that failed is tried. */
const tryEveryMs = 1000;

/**
 * The disk that state is kept on. Once a write has failed no new work is taken, until a new file was
 * written, reached the disk, and went: an fsync that failed is not repeated, for the kernel may
 * have dropped what it was about (fsync(2), EIO).
 */
export class StateDisk implements Disposable {
  readonly #probePath: string;
  readonly #changed: (why: string | undefined) => void;
  #why: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param changed told why no new work is taken, and undefined when it is again */
  constructor(directory: string, changed: (why: string | undefined) => void) {
    this.#probePath = join(directory, "probe");
    this.#changed = changed;
  }

  /** @throws Failure `unavailable` as long as the disk has failed */
  require(what: string): void {
    if (this.#why === undefined) return;
    throw new Failure("unavailable", "HOST_FAILED", `${what}: ${this.#why}; it is tried again`);
  }

  /** Write state; when the disk fails at it, that is noted, and thrown on as well. */
  write(write: () => void): void {
    try {
      write();
    } catch (cause) {
      this.#note(cause);
      throw cause;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #note(cause: unknown): void {
    if (this.#why !== undefined || !failures.has(errnoOf(cause))) return;
    this.#why = `the runtime directory cannot be written: ${inWords(cause)}`;
    this.#timer = setInterval(() => void this.#try(), tryEveryMs).unref();
    this.#changed(this.#why);
  }

  async #try(): Promise<void> {
    try {
      await probe(this.#probePath);
    } catch (cause) {
      if (failures.has(errnoOf(cause))) return;
    }
    if (this.#why === undefined) return;
    clearInterval(this.#timer);
    this.#why = undefined;
    this.#changed(undefined);
  }
}

async function probe(path: string): Promise<void> {
  await rm(path, { force: true });
  const file = await open(path, "wx", 0o600);
  try {
    await file.write("probe");
    await file.sync();
  } finally {
    await file.close();
  }
  await rm(path);
}
