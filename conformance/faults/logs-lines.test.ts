import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { type LogItem, Observe } from "@aurae/api/observe";
import { CellService } from "@aurae/api/runtime";
import fc from "fast-check";
import { WireClient } from "../client.ts";
import { type Daemon, needsRoot, startDaemon } from "../daemon.ts";
import { bytesOf, joined, ofPipe } from "./output.ts";

/** Lines that are long, binary or without an end: what a program wrote is what a client reads. */

/** Of one item, as the contract says. */
const maxBytes = 16_384;
const skip = needsRoot;

let daemon: Daemon;
let client: WireClient;

before(async () => {
  if (skip) return;
  daemon = await startDaemon();
  client = new WireClient(daemon);
  await client.allocate({ name: "lines" });
});

after(async () => {
  client?.[Symbol.dispose]();
  await daemon?.[Symbol.asyncDispose]();
});

/** All that a program prints, until it and its log have ended. */
async function print(command: string): Promise<readonly LogItem[]> {
  const one = { cellName: "lines", executableName: "main" };
  const executable = { name: "main", command, cellName: "lines" };
  const { run } = await client.call(CellService.method.start, { executable });
  return client.all(Observe.method.getSubProcessStream, { ...one, run, allChannels: true });
}

test("a line of 100 MB without an end comes in parts, whole (fault 50)", { skip }, async () => {
  const command = "seq 20000000 | tr '\\n' ' ' | head -c 100000000";
  const options = { encoding: "utf8" } as const;

  const items = await print(command);

  const sums = createHash("sha256");
  for (const item of items) sums.update(bytesOf(item));
  const [expected] = execFileSync("sh", ["-c", `${command} | sha256sum`], options).split(" ");
  assert.ok(items.every(({ partial }) => partial));
  assert.ok(items.every((item) => bytesOf(item).length <= maxBytes));
  assert.equal(sums.digest("hex"), expected);
});

for (const [bytes, expected] of [
  [maxBytes - 1, [[maxBytes - 1, false]]],
  [maxBytes, [[maxBytes, false]]],
  [
    maxBytes + 1,
    [
      [maxBytes, true],
      [1, false],
    ],
  ],
] as const) {
  test(`a line of ${bytes} bytes comes in ${expected.length} (fault 50)`, { skip }, async () => {
    const items = await print(`head -c ${bytes} /dev/zero | tr '\\0' x; echo; echo after`);

    const [last, ...rest] = items.toReversed();
    const parts = rest.toReversed().map((item) => [bytesOf(item).length, item.partial]);
    assert.deepEqual(parts, expected);
    assert.deepEqual([last?.line, last?.partial], ["after", false]);
  });
}

test("every byte comes as it was written, and text as text (fault 51)", { skip }, async () => {
  const file = `${daemon.directory}/bytes`;
  const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const some = fc.uint8Array({ maxLength: 400, size: "max" });
  const odd = fc
    .constantFrom("\n", "\0", "\r\n", "\u001b[31m", "\uFEFF", "é", "€")
    .map((text) => Buffer.from(text));
  const written = fc.array(fc.oneof(some, odd), { maxLength: 30 }).map((all) => Buffer.concat(all));

  const property = fc.asyncProperty(written, async (bytes) => {
    writeFileSync(file, bytes);
    const items = await print(`cat ${file}`);
    assert.deepEqual(joined(items), bytes);
    for (const item of items) assert.equal(item.line, Buffer.from(bytesOf(item)).toString());
  });

  await fc.assert(property, { numRuns: 30, examples: [[Buffer.from(everyByte)]] });
});

test("both pipes keep their order, and a last line without an end comes (fault 52)", {
  skip,
}, async () => {
  const count = 5000;
  const loop = `for (i = 1; i <= ${count}; i++) { print "out", i; print "err", i > "/dev/stderr" }`;
  const items = await print(`awk 'BEGIN { ${loop}; printf "end"; printf "end" > "/dev/stderr" }'`);

  for (const pipe of ["stdout", "stderr"] as const) {
    const lines = ofPipe(items, pipe);
    const word = pipe.slice("std".length);
    const expected = Array.from({ length: count }, (_, i) => `${word} ${i + 1}\n`).join("");
    assert.equal(joined(lines).toString(), `${expected}end`);
    assert.equal(lines.at(-1)?.partial, true);
  }
  assert.equal(items.length, 2 * (count + 1));
});
