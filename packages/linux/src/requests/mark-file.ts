import { renameSync, rmSync, writeFileSync } from "node:fs";
import type { MarkedStop, RequestMark } from "@aurae/domain/cells";
import { errnoOf } from "../errno.ts";
import { readOwnFile } from "../own-file.ts";
import { asObject, openJson, sealJson } from "../sealed-json.ts";

const maxFileBytes = 1024 * 1024;

/**
 * Requests to end something, one file for each thing that is to end: written before anything is done,
 * so that the daemon that comes after us goes on, and knows whom it answers.
 */
export class MarkFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** None when it is not there, or was made for a request without a mark. @throws Error that says what is wrong with it */
  read(): readonly MarkedStop[] {
    try {
      const bytes = readOwnFile(this.#path, maxFileBytes);
      // The grace alone: what is written for who has no mark.
      if (/^\d*$/.test(bytes.toString("latin1"))) return [];
      const { requests } = openJson(bytes, undefined);
      if (!Array.isArray(requests)) throw new Error("requests is no list");
      return requests.map(parseRequest);
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT") return [];
      throw cause;
    }
  }

  /** A request more, or the same again. */
  add(request: MarkedStop): void {
    this.#write([...this.#others(request.mark), request]);
  }

  /** It was not done; without any the file goes. */
  remove(mark: RequestMark): void {
    const others = this.#others(mark);
    if (others.length === 0) rmSync(this.#path, { force: true });
    else this.#write(others);
  }

  #others(mark: RequestMark): readonly MarkedStop[] {
    return this.read().filter((other) => other.mark.key !== mark.key);
  }

  /** By a rename: who reads it finds all requests of before, or all. */
  #write(requests: readonly MarkedStop[]): void {
    rmSync(`${this.#path}.new`, { force: true });
    writeFileSync(`${this.#path}.new`, sealJson({ requests }), { mode: 0o600, flag: "wx" });
    renameSync(`${this.#path}.new`, this.#path);
  }
}

/** @throws Error that says what is wrong */
export function parseMark(value: unknown): RequestMark {
  const { key, digest } = asObject(value, "mark");
  if (!(isHash(key) && isHash(digest))) throw new Error("mark names no request");
  return { key, digest };
}

function parseRequest(value: unknown): MarkedStop {
  const { graceMs, mark } = asObject(value, "a request");
  if (typeof graceMs !== "number") throw new Error("graceMs is no number");
  return { graceMs, mark: parseMark(mark) };
}

function isHash(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{32}$/.test(value);
}
