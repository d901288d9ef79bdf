import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { ByteWriter, MalformedBytes } from "./bytes.ts";
import { readRecord, readRecordFile } from "./record.ts";

test("readRecord() reads a run that has ended, and leaves out a usage it does not know", () => {
  const record = readRecord(
    payload({
      how: 2,
      status: 9,
      reason: 3,
      usage: [
        [4, 4096n],
        [99, 1n],
      ],
    }),
  );

  assert.deepEqual(record, {
    run: 3,
    executable: "main",
    pid: 42,
    startedAtNs: 1_000n,
    end: {
      reason: "oom",
      signal: 9,
      coreDumped: false,
      endedAtNs: 2_000n,
      usage: { memoryPeakBytes: 4096n },
      linesDropped: 5n,
    },
  });
});

test("readRecord() of a run that runs has no end", () => {
  assert.equal(readRecord(payload({ how: 0, status: 0, reason: 0, usage: [] })).end, undefined);
});

test("readRecord() refuses what cannot be: a way, a reason, a name, bytes left over", () => {
  const good = { how: 1, status: 0, reason: 1, usage: [] };

  for (const bytes of [
    payload({ ...good, how: 3 }),
    payload({ ...good, reason: 8 }),
    payload({ ...good, reason: 0 }),
    payload({ ...good, executable: "../x" }),
    Buffer.concat([payload(good), Buffer.alloc(1)]),
  ]) {
    assert.throws(() => readRecord(bytes), MalformedBytes);
  }
});

test("readRecordFile() refuses a file that is cut at any byte (fault 61)", () => {
  const bytes = file();

  for (let size = 0; size < bytes.length; size++) {
    assert.throws(() => readRecordFile(bytes.subarray(0, size)), MalformedBytes, `${size} bytes`);
  }
  assert.equal(readRecordFile(bytes).run, 3);
});

test("readRecordFile() refuses a file with any bit flipped (fault 62)", () => {
  for (let bit = 0; bit < file().length * 8; bit++) {
    const bytes = file();
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => readRecordFile(bytes), MalformedBytes, `bit ${bit}`);
  }
});

interface Fields {
  readonly executable?: string;
  readonly how: number;
  readonly status: number;
  readonly reason: number;
  readonly usage: readonly (readonly [number, bigint])[];
}

function payload({ executable = "main", how, status, reason, usage }: Fields): Buffer {
  return new ByteWriter()
    .u64(3n)
    .bytes(executable)
    .i32(42)
    .u64(777n)
    .i64(1_000n)
    .i64(how === 0 ? 0n : 2_000n)
    .u8(how)
    .i32(status)
    .u8(0)
    .u8(reason)
    .u64(5n)
    .list(usage, (writer, [key, value]) => writer.u16(key).u64(value))
    .finish();
}

/** As docs/design/shim.md has it; `AURR` can be read in the file. */
function file(): Buffer {
  const record = payload({ how: 1, status: 0, reason: 1, usage: [[1, 7n]] });
  const header = new ByteWriter().u32(0x5252_5541).u16(1).u16(0).u32(record.length);
  return Buffer.concat([header.u32(crc32(record)).finish(), record]);
}
