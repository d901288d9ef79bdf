import assert from "node:assert/strict";
import { mkdirSync, mkdtempDisposableSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readRuns } from "./adopted-runs.ts";
import { CellDirectory } from "./cell-directory.ts";
import { encodeOpenRecord } from "./testing/record-file.ts";
import { program } from "./testing/watched-cell.ts";

for (const supervisor of ["answers", "gone"] as const) {
  test(`a run without an end is lost when its supervisor ${supervisor} and tells nothing of it`, (t) => {
    const { directory, writeRecord } = createDirectory(t);
    directory.writeSpec(1, program("true"));
    writeRecord(1, encodeOpenRecord(1, "main"));

    const { known, open } = readRuns(directory, { supervisor, open: [] }, refuseWarning);

    assert.equal(known[0]?.report.end?.reason, "lost");
    assert.deepEqual([known[0]?.report.treeIsEmpty, open], [true, []]);
  });
}

test("a run without an end is open as long as its supervisor is silent", (t) => {
  const { directory, writeRecord } = createDirectory(t);
  directory.writeSpec(1, program("true"));
  writeRecord(1, encodeOpenRecord(1, "main"));

  const { known, open } = readRuns(directory, { supervisor: "silent", open: [] }, refuseWarning);

  assert.deepEqual([known[0]?.report.end, known[0]?.report.treeIsEmpty], [undefined, false]);
  assert.equal(open[0]?.record.run, 1);
});

test("a run whose record is damaged is lost, and keeps its number and its name", (t) => {
  const { directory, writeRecord } = createDirectory(t);
  directory.writeSpec(7, program("true"));
  writeRecord(7, Buffer.from("AURR"));
  const warnings: string[] = [];

  const told = { supervisor: "answers" as const, open: [] };
  const { known } = readRuns(directory, told, (message) => warnings.push(message));

  const [run] = known;
  assert.deepEqual([run?.report.run, run?.report.executable], [7, "main"]);
  assert.equal(run?.report.end?.reason, "lost");
  assert.match(warnings.join(), /^Cannot read run 7 in /);
});

function createDirectory(t: TestContext): {
  readonly directory: CellDirectory;
  readonly writeRecord: (run: number, bytes: Buffer) => void;
} {
  const temporary = mkdtempDisposableSync("/tmp/al-");
  t.after(() => temporary.remove());
  const { path } = temporary;
  mkdirSync(join(path, "runs"));
  return {
    directory: new CellDirectory(path, 10),
    writeRecord: (run, bytes) => writeFileSync(join(path, "runs", String(run)), bytes),
  };
}

function refuseWarning(message: string): never {
  throw new Error(message);
}
