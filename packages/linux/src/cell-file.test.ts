import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type CellFile,
  encodeCellFile,
  encodeExecutableFile,
  parseCellFile,
  parseExecutableFile,
} from "./cell-file.ts";
import { cellName, program } from "./testing/watched-cell.ts";

const file: CellFile = {
  name: cellName("team/web"),
  bootId: "boot",
  spec: {
    limits: { pidsMax: 7, memoryMaxBytes: 2n ** 63n - 1n, cpusetCpus: "0-2", cpuShares: 2 },
    shared: new Set(["network", "pid"]),
    labels: new Map([["k", "v\n\u0000é"]]),
  },
};

test("parseCellFile() reads what encodeCellFile() wrote", () => {
  assert.deepEqual(parseCellFile(encodeCellFile(file)), file);
});

test("parseExecutableFile() reads what encodeExecutableFile() wrote, whatever it is (fault 66)", () => {
  const text = fc.string({ unit: "binary" });

  fc.assert(
    fc.property(text, fc.array(text), fc.dictionary(text, text), (command, args, env) => {
      const spec = program(command, { args, env: new Map(Object.entries(env)) });
      assert.deepEqual(parseExecutableFile(encodeExecutableFile(spec)), spec);
    }),
  );
});

test("parseCellFile() refuses a file that is cut at any byte (fault 61)", () => {
  const text = encodeCellFile(file);

  for (let size = 0; size < text.length; size++) {
    assert.throws(() => parseCellFile(text.slice(0, size)));
  }
});

for (const [what, wrong] of [
  ["a newer version", { version: 2 }],
  ["a name that is none", { name: "../etc" }],
  ["a namespace that is none", { shared: ["user"] }],
  ["a limit that is none", { limits: { pidsMax: 7, cpus: 1 } }],
  ["a limit of another type", { limits: { pidsMax: 7, memoryMaxBytes: "1024" } }],
  ["no limit of processes", { limits: {} }],
  ["labels that are a list", { labels: [] }],
] as const) {
  test(`parseCellFile() refuses ${what}`, () => {
    const content: unknown = JSON.parse(encodeCellFile(file));
    assert.ok(typeof content === "object");

    assert.throws(() => parseCellFile(JSON.stringify({ ...content, ...wrong })));
  });
}
