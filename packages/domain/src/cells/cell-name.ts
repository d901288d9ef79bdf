import type { Brand } from "../brand.ts";

/**
 * The name of a cell, with those of its parents: "team/web". Made by {@link parseCellName} alone, so
 * whoever holds one may use it in a path.
 */
export type CellName = Brand<string, "CellName">;

export const maxNameBytes = 255;
export const maxDepth = 8;

const segment = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;

/** Whether a text is one segment of a name: 1–63 letters, digits and inner hyphens. */
export function isSegment(text: string): boolean {
  return segment.test(text);
}

/** The name, or what is wrong with it. It is refused or taken as it is, never repaired (fault 71). */
export function parseCellName(text: string): CellName | { readonly wrong: string } {
  if (text === "") return { wrong: "must not be empty" };
  const segments = text.split("/");
  if (segments.length > maxDepth) return { wrong: `must have at most ${maxDepth} segments` };
  if (!segments.every(isSegment)) {
    return { wrong: 'must be segments of 1–63 letters, digits and inner hyphens, joined by "/"' };
  }
  // Every character is ASCII by now.
  if (text.length > maxNameBytes) return { wrong: `must be at most ${maxNameBytes} bytes` };
  return text as CellName;
}

/** The name of the cell that holds this one; undefined for a cell at the root. */
export function parentOf(name: CellName): CellName | undefined {
  const end = name.lastIndexOf("/");
  return end < 0 ? undefined : (name.slice(0, end) as CellName);
}

/** The last segment: the host name inside the cell. */
export function leafOf(name: CellName): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
