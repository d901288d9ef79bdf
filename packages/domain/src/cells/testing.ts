import type { Cell } from "./cell.ts";
import { Cells } from "./cells.ts";
import { FakeHost } from "./fake-host.ts";
import type { StartedRun } from "./host.ts";
import { parseCell } from "./parse-cell.ts";
import { parseExecutable } from "./parse-executable.ts";

const { signal } = new AbortController();

/** Cells on a fake host, and short ways to ask for some. */
export interface CellsUnderTest {
  readonly host: FakeHost;
  readonly cells: Cells;
  readonly allocate: (name: string) => Promise<Cell>;
  readonly start: (
    command: string,
    cellName?: string,
    name?: string,
  ) => Promise<StartedRun & { readonly run: number }>;
}

export function setUpCells(): CellsUnderTest {
  const host = new FakeHost();
  const cells = new Cells(host);
  return {
    host,
    cells,
    allocate: (name) => {
      const { name: parsed, spec } = parseCell({ name, cpuShares: 0n, labels: {} });
      return cells.allocate(parsed, spec, signal);
    },
    start: (command, cellName = "web", name = "server") => {
      const raw = { description: "", args: [], env: {}, workingDirectory: "", noShell: false };
      const { cell, spec } = parseExecutable({ ...raw, name, command, cellName });
      return cells.start(cell, spec, signal);
    },
  };
}
