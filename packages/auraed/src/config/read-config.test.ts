import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readConfig } from "./read-config.ts";

async function setUp(text: string) {
  const directory = await mkdtemp(join(tmpdir(), "auraed-config-"));
  const path = join(directory, "auraed.toml");
  await writeFile(path, text, { mode: 0o644 });
  return { path, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
}

test("readConfig() takes flags over the file, and the file over the defaults", async () => {
  await using file = await setUp('runtime_dir = "/run/one"\nlibrary_dir = "/lib/one"\n');

  const config = readConfig({ libraryDir: "/lib/two" }, file.path);

  assert.deepEqual([config.socket, config.libraryDir], ["/run/one/aurae.sock", "/lib/two"]);
});

test("readConfig() refuses a file that others may write: it says who is who", async () => {
  await using file = await setUp("");
  await chmod(file.path, 0o646);

  assert.throws(() => readConfig({}, file.path), /^Refusal: Cannot trust the .* mode is 0646$/);
});

test("readConfig() names a file that is not there", () => {
  assert.throws(() => readConfig({}, "/nowhere/auraed.toml"), /auraed\.toml: no such file/);
});
