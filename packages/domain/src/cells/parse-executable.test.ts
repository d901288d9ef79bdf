import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../errors.ts";
import { toArgv, toEnvironment } from "./executable-spec.ts";
import { parseExecutable, type RawExecutable } from "./parse-executable.ts";

const server: RawExecutable = {
  ...{ name: "server", command: "true", description: "", cellName: "web", args: [], env: {} },
  ...{ workingDirectory: "", noShell: false },
};

function violated(change: Partial<RawExecutable>): readonly string[] {
  try {
    parseExecutable({ ...server, ...change });
    return [];
  } catch (error) {
    assert.ok(error instanceof Failure);
    return error.violations.map(({ field }) => field);
  }
}

test("parseExecutable() fills in root, the root directory and nothing else", () => {
  const { cell, spec } = parseExecutable(server);

  assert.deepEqual([cell, spec.workingDirectory, spec.uid, spec.gid], ["web", "/", 0, 0]);
});

test("parseExecutable() takes the number of uid for an absent gid", () => {
  assert.equal(parseExecutable({ ...server, uid: 1000 }).spec.gid, 1000);
  assert.equal(parseExecutable({ ...server, uid: 1000, gid: 5 }).spec.gid, 5);
});

for (const [change, field] of [
  [{ name: "a/b" }, "executable.name"],
  [{ name: "" }, "executable.name"],
  [{ cellName: "" }, "executable.cell_name"],
  [{ command: "" }, "executable.command"],
  [{ command: "a\0b" }, "executable.command"],
  [{ command: "x".repeat(131_072) }, "executable.command"],
  [{ args: ["ok", "a\0b"] }, "executable.args[1]"],
  [{ args: new Array(9).fill("x".repeat(131_000)) }, "executable.args"],
  [{ args: new Array(32_001).fill("a\0b") }, "executable.args"],
  [{ env: { "A=B": "c" } }, 'executable.env["A=B"]'],
  [{ env: { "": "c" } }, 'executable.env[""]'],
  [{ env: { A: "\0" } }, 'executable.env["A"]'],
  [{ workingDirectory: "tmp" }, "executable.working_directory"],
  [{ workingDirectory: `/${"x".repeat(4096)}` }, "executable.working_directory"],
  [{ uid: 4294967295 }, "executable.uid"],
  [{ gid: 4294967295 }, "executable.gid"],
  [{ description: "x".repeat(1025) }, "executable.description"],
] as const satisfies readonly (readonly [Partial<RawExecutable>, string])[]) {
  test(`parseExecutable() refuses a wrong ${field} (fault 74): ${JSON.stringify(change).slice(0, 40)}`, () => {
    assert.deepEqual(violated(change), [field]);
  });
}

test("parseExecutable() names every violation at once", () => {
  assert.equal(violated({ name: "", command: "", cellName: "..", uid: 4294967295 }).length, 4);
});

test("toArgv() gives a lone command to the shell, and a program its arguments", () => {
  const { spec } = parseExecutable(server);

  assert.deepEqual(toArgv(spec), ["/bin/sh", "-c", "true"]);
  assert.deepEqual(toArgv({ ...spec, args: ["a b"] }), ["true", "a b"]);
  assert.deepEqual(toArgv({ ...spec, noShell: true }), ["true"]);
});

test("toEnvironment() has PATH and HOME, unless they were given", () => {
  const { spec } = parseExecutable({ ...server, env: { HOME: "/tmp", LANG: "C" } });

  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  assert.deepEqual(toEnvironment(spec), [path, "HOME=/tmp", "LANG=C"]);
});
