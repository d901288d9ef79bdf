import assert from "node:assert/strict";
import { mkdirSync, mkdtempDisposableSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cellName, executableName } from "../testing/watched-cell.ts";
import { encodeCell, encodeRun } from "./catalog-files.ts";
import { LogCatalog } from "./log-catalog.ts";

/*
 * Nothing of the catalog is fsynced, so a power loss leaves any of the images below: each file may be
 * absent, cut at any byte, or end in zeros (a size that reached the disk before its data); a rename
 * may be there before what was written, and a directory without what was put into it.
 */

const id = "0123456789abcdef";
const common = { id, name: cellName("web"), bootId: "before", sequence: 7, allocatedAtMs: 1000 };
const allocated = encodeCell({ ...common, freedAtMs: undefined });
const freed = encodeCell({ ...common, freedAtMs: 2000 });
const lines = [1, 2].map((run) =>
  encodeRun({ run, executable: executableName("main"), pid: 40 + run, startedAtNs: 10n }),
);

test("a catalog believes nothing wrong of any image that a power loss leaves (fault 63)", () => {
  using temporary = mkdtempDisposableSync("/tmp/al-");
  const directory = join(temporary.path, "logs");
  mkdirSync(directory, { mode: 0o700 });
  const some = [undefined, "", lines[0], lines.join("")];

  // Each byte is `catalog-files.test.ts`.
  for (const cell of [...tornOver(allocated), ...tornOver(freed)].filter(every(8))) {
    for (const runs of some) assertBelieves(directory, cell, runs);
  }
  for (const runs of tornOver(lines.join("")).filter(every(4))) {
    for (const cell of [undefined, allocated, freed]) assertBelieves(directory, cell, runs);
  }
});

test("a catalog goes on after any image, and what it adds is found (fault 63)", async () => {
  using temporary = mkdtempDisposableSync("/tmp/al-");
  const directory = join(temporary.path, "logs");
  mkdirSync(directory, { mode: 0o700 });

  for (const cell of [undefined, allocated.slice(0, 20), allocated]) {
    for (const runs of tornOver(lines.join("")).filter(every(32))) {
      lay(directory, { "cell.json": cell, "runs.jsonl": runs });
      const catalog = open(directory);
      catalog.cellAllocated("f".repeat(16), cellName("web"));
      catalog.runStarted("f".repeat(16), {
        ...{ run: 1, executable: executableName("main"), pid: 99, startedAtNs: 1n },
      });
      await catalog.flush();

      const found = open(directory).findByName(cellName("web"), executableName("main"), 1);
      assert.equal(found?.cellId, "f".repeat(16));
    }
  }
});

/** A file that is cut at any byte, or has zeros from there on. */
function tornOver(text: string): readonly string[] {
  const sizes = Array.from({ length: text.length }, (_, size) => size);
  const cut = sizes.map((size) => text.slice(0, size));
  return [text, ...cut, ...cut.filter(every(8)).map((part) => part.padEnd(text.length, "\0"))];
}

function every(step: number): (value: unknown, index: number) => boolean {
  return (_, index) => index % step === 0;
}

function lay(directory: string, files: Readonly<Record<string, string | undefined>>): void {
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
  mkdirSync(join(directory, id), { mode: 0o700 });
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, id, name);
    if (text !== undefined) writeFileSync(path, text, { mode: 0o600 });
  }
}

/** Only a whole file is believed, only whole lines are; no pid, and no cell of before that lives. */
function assertBelieves(
  directory: string,
  cell: string | undefined,
  runs: string | undefined,
): void {
  lay(directory, { "cell.json": cell, "cell.json.new": freed.slice(0, 9), "runs.jsonl": runs });
  const catalog = open(directory);
  const isWhole = cell === allocated || cell === freed;
  const whole = lines.filter((line) => runs?.split("\n").includes(line.trimEnd()) === true);
  const found = catalog.findByName(cellName("web"), executableName("main"), undefined);
  assert.equal(found?.run, isWhole ? whole.length || undefined : undefined);
  assert.deepEqual([catalog.findByPid(41), catalog.findByPid(42)], [undefined, undefined]);
  assert.deepEqual(
    catalog.ended.map(({ name }) => name),
    [isWhole ? "web" : undefined],
  );
}

function open(directory: string): LogCatalog {
  return new LogCatalog({ directory, bootId: "now", keptRuns: 9, warn: () => undefined });
}
