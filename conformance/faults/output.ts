import type { LogItem } from "@aurae/api/observe";

/** What a client makes of the items of a log stream. */

/** The bytes of an item, also when they are no text. */
export function bytesOf({ raw, line }: LogItem): Uint8Array {
  return raw.length > 0 ? raw : Buffer.from(line);
}

/** The bytes that the program wrote, put together again out of lines and parts. */
export function joined(items: readonly LogItem[]): Buffer {
  const newline = Buffer.from("\n");
  return Buffer.concat(
    items.flatMap((item) => (item.partial ? [bytesOf(item)] : [bytesOf(item), newline])),
  );
}

/** The items of one pipe of an executable that is called "main". */
export function ofPipe(items: readonly LogItem[], pipe: "stdout" | "stderr"): readonly LogItem[] {
  return items.filter(({ channel }) => channel === `main::${pipe}`);
}
