import assert from "node:assert/strict";
import { mkdtempDisposable, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { undo, writeNewFiles } from "./new-files.ts";
import { PkiError } from "./pki-error.ts";

const a = { name: "a", mode: 0o644, content: "A" };
const b = { name: "b", mode: 0o600, content: "B" };

function openTemporary(): ReturnType<typeof mkdtempDisposable> {
  return mkdtempDisposable(join(tmpdir(), "aurae-pki-"));
}

test("writeNewFiles() leaves the files, and nothing beside them", async () => {
  await using temporary = await openTemporary();

  await writeNewFiles(temporary.path, [a, b]);

  assert.deepEqual((await readdir(temporary.path)).toSorted(), ["a", "b"]);
  assert.equal(await readFile(join(temporary.path, "b"), "utf8"), "B");
});

test("writeNewFiles() removes what it wrote when a later file cannot be written", async () => {
  await using temporary = await openTemporary();
  const impossible = { ...b, name: "missing/b" };

  await assert.rejects(writeNewFiles(temporary.path, [a, impossible]), { name: "PkiError" });

  assert.deepEqual(await readdir(temporary.path), []);
});

test("writeNewFiles() removes the files that have their names when one is taken meanwhile", async () => {
  await using temporary = await openTemporary();
  // Another spelling of the same path: free when it is checked, taken when it is linked.
  const same = { ...a, name: "x/../a" };

  await assert.rejects(
    writeNewFiles(temporary.path, [b, a, same]),
    /a: file already exists \(EEXIST\)$/,
  );

  assert.deepEqual(await readdir(temporary.path), []);
});

test("undo() removes the last first, and gives the cause", async () => {
  const removed: string[] = [];
  const cause = new Error("full");

  const error = await undo(cause, ["a", "a/b"], async (path) => {
    removed.push(path);
  });

  assert.equal(error, cause);
  assert.deepEqual(removed, ["a/b", "a"]);
});

test("undo() names what cannot be removed", async () => {
  const cause = new PkiError("Cannot write a: no space left on device (ENOSPC)");

  const error = await undo(cause, ["a", "b"], (path) =>
    path === "a" ? Promise.reject(cause) : Promise.resolve(),
  );

  assert.ok(error instanceof PkiError && error.cause === cause);
  assert.equal(error.message, `${cause.message}, and a cannot be removed`);
});
