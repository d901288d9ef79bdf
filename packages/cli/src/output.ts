import { styleText } from "node:util";

/** The version of every JSON document of aer. A field may be added in it; none changes or goes. */
const jsonVersion = 1;

/** Write to stdout what was asked for, at the pace of its reader. */
export function writeOut(chunk: string | Uint8Array): Promise<void> {
  return write(process.stdout, chunk);
}

/** Write to stderr what an executable wrote there, at the pace of its reader. */
export function writeError(chunk: string | Uint8Array): Promise<void> {
  return write(process.stderr, chunk);
}

/** One JSON document: the answer of a command. */
export function writeJson(answer: object): Promise<void> {
  return writeOut(`${JSON.stringify({ version: jsonVersion, ...answer }, toJsonValue, 2)}\n`);
}

/** One line of JSON: an item of a stream. */
export function writeJsonLine(item: object): Promise<void> {
  return writeOut(`${JSON.stringify(item, toJsonValue)}\n`);
}

/** Columns as wide as they have to be; the first row is the heading. */
export function writeTable(rows: readonly (readonly string[])[]): Promise<void> {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => countCharacters(row[at] ?? ""))),
  );
  const lines = rows.map((row) =>
    row
      .map((text, at) => text + " ".repeat((widths[at] ?? 0) - countCharacters(text)))
      .join("  ")
      .trimEnd(),
  );
  return writeOut(`${lines.join("\n")}\n`);
}

/** Say something to the person: on stderr, since stdout is data. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Less important than the rest, where colours are wanted. */
export function dim(text: string): string {
  // It heeds NO_COLOR and FORCE_COLOR, and whether stderr is a terminal.
  return styleText("dim", text, { stream: process.stderr });
}

/** Names are ASCII; what draws the tree and what a command holds may take two UTF-16 units. */
function countCharacters(text: string): number {
  return Array.from(text).length;
}

/** An int64 is a number as long as every reader of JSON gets it exactly, and text beyond. */
function toJsonValue(_key: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function write(stream: NodeJS.WriteStream, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
