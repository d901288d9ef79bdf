import { isAbsolute } from "node:path";
import { type Refusal, usageRefusal } from "../process/refusal.ts";

/** A table of a TOML file, which remembers what was asked for: the rest is a mistake of its writer. */
export class Table {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #prefix: string;
  readonly #known = new Set<string>();

  constructor(values: Readonly<Record<string, unknown>>, path: string, prefix: string) {
    this.#values = values;
    this.#path = path;
    this.#prefix = prefix;
  }

  keys(): readonly string[] {
    return Object.keys(this.#values);
  }

  /** The table of that name; an empty one when there is none. */
  table(key: string): Table {
    const value = this.#take(key) ?? {};
    if (typeof value !== "object" || Array.isArray(value) || value instanceof Date)
      throw this.#wrong(key, "it is not a table");
    return new Table({ ...value }, this.#path, `${this.#prefix}${key}.`);
  }

  boolean(key: string): boolean | undefined {
    const value = this.#take(key);
    if (value === undefined || typeof value === "boolean") return value;
    throw this.#wrong(key, "it is neither true nor false");
  }

  /** A whole number that is not less. */
  integer(key: string, least: number): number | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
    throw this.#wrong(key, `it is not a whole number from ${least} on`);
  }

  /** A path of this machine; relative ones would depend on where the daemon was started. */
  path(key: string): string | undefined {
    return this.parsed(key, (text) => {
      if (!isAbsolute(text)) throw new Error("it is not an absolute path");
      return text;
    });
  }

  /** A text as `read` understands it; what it throws is why not. */
  parsed<T>(key: string, read: (text: string) => T): T | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    if (typeof value !== "string") throw this.#wrong(key, "it is not a text in quotes");
    try {
      return read(value);
    } catch (cause) {
      throw this.#wrong(key, cause instanceof Error ? cause.message : String(cause));
    }
  }

  /** @throws Refusal when there is a key that nobody asked for */
  refuseOthers(): void {
    for (const key of this.keys())
      if (!this.#known.has(key)) throw this.#wrong(key, "there is no such key");
  }

  #take(key: string): unknown {
    this.#known.add(key);
    return this.#values[key];
  }

  #wrong(key: string, why: string): Refusal {
    return usageRefusal(
      `Cannot use the configuration ${this.#path}: ${this.#prefix}${key}: ${why}`,
    );
  }
}
