import assert from "node:assert/strict";
import { test } from "node:test";
import { parseExecutable, type RawExecutable } from "./parse-executable.ts";
import { type ShownExecutable, toShown } from "./shown-executable.ts";

function shown(change: Partial<RawExecutable>): ShownExecutable {
  const raw = { description: "", args: [], env: {}, workingDirectory: "", noShell: false };
  const names = { name: "server", cellName: "web", command: "true" };
  return toShown(parseExecutable({ ...raw, ...names, ...change }).spec);
}

test("toShown() keeps what is short as it is, without the environment", () => {
  const { isCut, ...same } = shown({ args: ["a", ""], env: { KEY: "secret" }, uid: 7 });

  assert.deepEqual(same, {
    ...{ name: "server", command: "true", description: "", args: ["a", ""] },
    ...{ workingDirectory: "/", uid: 7, gid: 7, noShell: false },
  });
  assert.equal(isCut, false);
});

test("toShown() keeps 4 KiB of the texts of one executable, and says that it was cut", () => {
  const { command, args, isCut } = shown({ command: "x".repeat(100_000), args: ["a", "b"] });

  assert.deepEqual([command.length, args, isCut], [4096, [], true]);
});

test("toShown() cuts between characters", () => {
  const fits = 4096 - "true".length - "/".length - 8;

  const { args } = shown({ args: [`${"x".repeat(fits - 1)}é`] });

  assert.ok(args[0] === "x".repeat(fits - 1));
});

test("toShown() bounds the number of empty arguments", () => {
  assert.ok(shown({ args: new Array(30_000).fill("") }).args.length < 512);
});
