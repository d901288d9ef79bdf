import { drawProgram, type Program } from "./program.ts";
import type { Random } from "./random.ts";

/** Something that is asked of the daemon, or done to a cell behind its back. */
export type Operation = { readonly cell: string } & (
  | { readonly kind: "allocate" | "list" | "killSupervisor" | "killInit" }
  | { readonly kind: "free"; readonly graceMs: number }
  | { readonly kind: "start"; readonly executable: string; readonly program: Program }
  | { readonly kind: "stop"; readonly executable: string; readonly graceMs: number }
  | { readonly kind: "wait" | "logs"; readonly executable: string }
);

/** Trees of cells; each is asked for one thing at a time, and all of them at once. */
const trees = {
  a: ["a", "a/x", "a/x/y"],
  b: ["b", "b/x", "b/y"],
  c: ["c"],
  d: ["d", "d/x"],
} as const;

const roots = ["a", "b", "c", "d"] as const;

/** What is asked for in one round: for each tree a list, one after the other. */
export function drawRound(random: Random): readonly (readonly Operation[])[] {
  return roots
    .filter(() => random.isBelow(75))
    .map((root) => {
      const cells = trees[root];
      const operations = Array.from({ length: 2 + random.below(4) }, () =>
        drawOperation(random, cells),
      );
      // Without the first of them all others are refused.
      const first: Operation = { kind: "allocate", cell: root };
      return random.isBelow(40) ? [first, ...operations] : operations;
    });
}

function drawOperation(random: Random, cells: readonly [string, ...string[]]): Operation {
  // The root most often, or there would be nothing to be inside of.
  const cell = random.isBelow(50) ? cells[0] : random.pick(cells);
  const executable = random.pick(["one", "two", "three"]);
  const graceMs = random.pick([0, 0, 20, 300]);
  const kind = random.weighted({
    ...{ allocate: 26, start: 40, stop: 10, free: 7, wait: 3, logs: 5, list: 1 },
    ...{ killSupervisor: 9, killInit: 3 },
  });
  switch (kind) {
    case "allocate":
    case "list":
    case "killSupervisor":
    case "killInit":
      return { kind, cell };
    case "free":
      return { kind, cell, graceMs };
    case "stop":
      return { kind, cell, executable, graceMs };
    case "start":
      return { kind, cell, executable, program: drawProgram(random) };
    case "wait":
    case "logs":
      return { kind, cell, executable };
    default:
      return kind satisfies never;
  }
}
