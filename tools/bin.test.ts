import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempDisposableSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const programs = [
  { name: "auraed", refusal: 1, main: "packages/auraed/src/main.ts" },
  { name: "aer", refusal: 125, main: "packages/cli/src/main.ts" },
] as const;

for (const { name, refusal, main } of programs) {
  test(`bin/${name} without a set-up says what to do`, () => {
    using checkout = createCheckout();

    const { status, stderr } = run(join(checkout.path, "bin", name));

    assert.equal(stderr, `${name}: run make build first, in ${checkout.path}\n`);
    assert.equal(status, refusal);
  });

  test(`bin/${name} finds its checkout through a link and passes arguments on`, () => {
    using checkout = createCheckout();
    setUp(checkout.path);
    const link = join(checkout.path, "link");
    symlinkSync(join("bin", name), link);

    const { status, stdout } = run(link, "a b", "");

    const words = stdout.split("\n");
    assert.deepEqual(words.slice(words.indexOf(join(checkout.path, main)) + 1), ["a b", "", ""]);
    assert.equal(status, 7);
  });
}

/** A directory with bin/ and nothing else of the project. */
function createCheckout(): Disposable & { readonly path: string } {
  const directory = mkdtempDisposableSync("/tmp/aurae-bin-");
  cpSync("bin", join(directory.path, "bin"), { recursive: true });
  return { path: directory.path, [Symbol.dispose]: () => directory.remove() };
}

/** Stands for what `make build` leaves: a Node that prints its arguments, and ends with 7. */
function setUp(root: string): void {
  const program = { mode: 0o755 };
  const files = {
    "tools/node/node_modules/.bin/node": "#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 7\n",
    "node_modules/.package-lock.json": "",
    "native/cell-shim/build/aurae-supervisor": "",
  };
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(root, file, ".."), { recursive: true });
    writeFileSync(join(root, file), text, program);
  }
}

function run(path: string, ...args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(path, args, { encoding: "utf8" });
}
