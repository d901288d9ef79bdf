import assert from "node:assert/strict";
import { mkdirSync, mkdtempDisposableSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { flipBit } from "../testing/flip-bit.ts";
import { cellName, executableName } from "../testing/watched-cell.ts";
import { encodeCell, encodeRun, readCatalogCell } from "./catalog-files.ts";

const id = "0123456789abcdef";
const cell = { id, name: cellName("web"), bootId: "boot", sequence: 1, allocatedAtMs: 1000 };
const cellText = encodeCell({ ...cell, freedAtMs: undefined });
const [firstLine, secondLine] = [1, 2].map((run) =>
  encodeRun({ run, executable: executableName("main"), pid: 40 + run, startedAtNs: 10n }),
) as [string, string];

const firstRun = "web main 1 41 10";
const both = [firstRun, "web main 2 42 10"];

test("readCatalogCell() believes no file of a catalog in which a bit flipped (fault 62)", (t) => {
  const directory = createDirectory(t);
  const whole = { "cell.json": cellText, "runs.jsonl": firstLine + secondLine };
  assert.deepEqual(believed(directory, whole), both);

  for (const [file, text] of Object.entries(whole)) {
    const bytes = Buffer.from(text);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const told = believed(directory, { ...whole, [file]: flipBit(bytes, bit) });
      assert.ok(told.length < 2 && told.every((run) => both.includes(run)), `${file} ${bit}`);
    }
  }
});

test("readCatalogCell() believes the lines before the byte that a file is cut at (faults 61, 63)", (t) => {
  const directory = createDirectory(t);
  const lines = firstLine + secondLine;

  for (let size = 0; size <= lines.length; size++) {
    const told = believed(directory, { "cell.json": cellText, "runs.jsonl": lines.slice(0, size) });
    // Of a line that lacks its end alone all is said.
    const [first, second] = [firstLine.length - 1, lines.length - 1];
    assert.deepEqual(told, size >= second ? both : size >= first ? [firstRun] : [], `${size}`);
  }
  for (let size = 0; size < cellText.length; size++) {
    assert.deepEqual(believed(directory, { "cell.json": cellText.slice(0, size) }), []);
  }
});

test("readCatalogCell() believes what was written before there were checksums (fault 65)", (t) => {
  const files = {
    "cell.json": `{"version":1,"name":"web","bootId":"boot","sequence":1,"allocatedAt":"2026-01-02T03:04:05.000Z"}`,
    "runs.jsonl": '{"run":1,"executable":"main","pid":41,"startedAtNs":"10"}\n',
  };

  assert.deepEqual(believed(createDirectory(t), files), [firstRun]);
});

function createDirectory(t: TestContext): string {
  const temporary = mkdtempDisposableSync("/tmp/al-");
  t.after(() => temporary.remove());
  const directory = join(temporary.path, id);
  mkdirSync(directory);
  return directory;
}

/** What is read of the runs of a cell, when these are its files; nothing when its name is not. */
function believed(
  directory: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): readonly string[] {
  for (const name of readdirSync(directory)) rmSync(join(directory, name));
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), content);
  const { cell: read, runs } = readCatalogCell(directory, id, () => undefined);
  return runs
    .filter(() => read.name !== undefined)
    .map(({ run, executable, pid, startedAtNs }) =>
      [read.name, executable, run, pid, startedAtNs].join(" "),
    );
}
