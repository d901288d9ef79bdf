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
import { asObject, type Json, sealJson } from "./sealed-json.ts";
import { flipBit } from "./testing/flip-bit.ts";
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
  assert.deepEqual(parseCellFile(Buffer.from(encodeCellFile(file))), file);
});

test("parseExecutableFile() reads what encodeExecutableFile() wrote, whatever it is (fault 66)", () => {
  const text = fc.string({ unit: "binary" });

  fc.assert(
    fc.property(text, fc.array(text), fc.dictionary(text, text), (command, args, env) => {
      const spec = program(command, { args, env: new Map(Object.entries(env)) });
      assert.deepEqual(parseExecutableFile(Buffer.from(encodeExecutableFile(spec))), spec);
    }),
  );
});

test("a text of 64 KiB, of lines, of quotes or of both comes back as it was (fault 66)", () => {
  for (const text of ["\n", '"', "\\", "\u0000", "é", "a"].map((each) => each.repeat(65_536))) {
    const spec = program(text, { description: text, args: [text], env: new Map([[text, text]]) });
    const labelled = { ...file, spec: { ...file.spec, labels: new Map([["k", text]]) } };

    assert.deepEqual(parseExecutableFile(Buffer.from(encodeExecutableFile(spec))), spec);
    assert.deepEqual(parseCellFile(Buffer.from(encodeCellFile(labelled))), labelled);
  }
});

test("a file of a cell or a run that is cut at any byte is refused (fault 61)", () => {
  for (const { bytes, parse } of files()) {
    for (let size = 0; size < bytes.length; size++) {
      assert.throws(() => parse(bytes.subarray(0, size)), /^Error: it is /, `${size} bytes`);
    }
  }
});

test("a file of a cell or a run with any bit flipped is refused (fault 62)", () => {
  for (const { bytes, parse } of files()) {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      assert.throws(() => parse(flipBit(bytes, bit)), `bit ${bit}`);
    }
  }
});

test("files without a checksum, as they were before, are read (fault 65)", () => {
  const spec = program("true");

  assert.deepEqual(parseCellFile(unsealed(encodeCellFile(file))), file);
  assert.deepEqual(parseExecutableFile(unsealed(encodeExecutableFile(spec))), spec);
});

test("a file of a newer version is refused, and it is said that a newer daemon wrote it (faults 65, 110)", () => {
  const newer = Buffer.from(sealJson({ ...parseAny(encodeCellFile(file)), version: 3 }));

  assert.throws(() => parseCellFile(newer), /it is of version 3, .*: a newer one wrote it/);
});

for (const [what, wrong, message] of [
  ["a name that is none", { name: "../etc" }, /the name/],
  ["a namespace that is none", { shared: ["user"] }, /no namespace "user"/],
  ["a limit that is none", { limits: { pidsMax: 7, cpus: 1 } }, /the limit cpus/],
  ["a limit of another type", { limits: { pidsMax: 7, memoryMaxBytes: "1024" } }, /memoryMaxBytes/],
  ["no limit of processes", { limits: {} }, /pidsMax is no number/],
  ["labels that are a list", { labels: [] }, /labels is no object/],
] as const) {
  test(`parseCellFile() refuses ${what}`, () => {
    const { version: _, crc32: _sum, ...fields } = parseAny(encodeCellFile(file));

    assert.throws(() => parseCellFile(Buffer.from(sealJson({ ...fields, ...wrong }))), message);
  });
}

interface Parsed {
  readonly bytes: Buffer;
  readonly parse: (bytes: Buffer) => unknown;
}

/** A file of each kind, and what reads it. */
function files(): readonly Parsed[] {
  const spec = program("echo é", { args: ["a", "b"], env: new Map([["K", "v"]]) });
  return [
    { bytes: Buffer.from(encodeCellFile(file)), parse: parseCellFile },
    { bytes: Buffer.from(encodeExecutableFile(spec)), parse: parseExecutableFile },
  ];
}

function unsealed(text: string): Buffer {
  const { crc32: _, ...fields } = parseAny(text);
  return Buffer.from(JSON.stringify({ ...fields, version: 1 }));
}

function parseAny(text: string): Json {
  return asObject(JSON.parse(text), "it");
}
