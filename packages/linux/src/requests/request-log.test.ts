import assert from "node:assert/strict";
import { mkdtempDisposableSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Answer, type RequestMark, rememberedAnswers } from "@aurae/domain/cells";
import { StateDisk } from "../state-disk.ts";
import { flipBit } from "../testing/flip-bit.ts";
import { slotBytes } from "./answer-bytes.ts";
import { RequestLog } from "./request-log.ts";

const end = {
  reason: "oom",
  signal: 9,
  coreDumped: true,
  endedAtNs: 1_800_000_000_000_000_000n,
  linesDropped: 2n ** 64n - 1n,
  usage: {
    ...{ cpuUserNs: 1n, cpuSystemNs: 2n, cpuTotalNs: 3n, memoryPeakBytes: 2n ** 64n - 1n },
    ...{ oomKills: 4n, pidsPeak: 5n, cpuThrottledNs: 6n },
  },
} as const;
const answers: readonly Answer[] = [
  { kind: "allocated" },
  { kind: "started", run: 2 ** 40, pid: 4_194_303, startedAtNs: 1_800_000_000_000_000_000n },
  { kind: "stopped", end },
  { kind: "stopped", end: { ...end, usage: {}, reason: "exited" } },
  { kind: "freed" },
];

test("answers are there for the next daemon as they were given", () => {
  using setting = setUp();
  const log = setting.open();
  for (const [at, answer] of answers.entries()) log.note(markOf(at), answer);

  const next = setting.open();

  for (const [at, answer] of answers.entries())
    assert.deepEqual(next.recall(markOf(at).key)?.answer, answer);
  assert.deepEqual(next.recall(markOf(2).key)?.mark, markOf(2));
  assert.equal(statSync(setting.path).mode & 0o777, 0o600);
});

test("there is no file before the first request with a mark", () => {
  using setting = setUp();

  setting.open();

  assert.throws(() => statSync(setting.path), { code: "ENOENT" });
});

test("a file that is cut anywhere loses what was cut, and no more (fault 61)", () => {
  using setting = setUp();
  const whole = setting.fill(3);

  for (let bytes = 0; bytes <= 3 * slotBytes; bytes++) {
    writeFileSync(setting.path, whole.subarray(0, bytes));
    const log = setting.open();
    const kept = [0, 1, 2].filter((at) => log.recall(markOf(at).key) !== undefined);
    assert.deepEqual(kept, [0, 1, 2].slice(0, Math.floor(bytes / slotBytes)));
  }
});

test("a bit that flips anywhere takes its own answer with it, which is told (fault 62)", () => {
  using setting = setUp();
  const whole = setting.fill(2);
  const size = 6 + whole.readUInt16LE(4);

  for (let bit = 0; bit < 8 * size; bit++) {
    setting.warnings.length = 0;
    writeFileSync(setting.path, flipBit(whole, bit));
    const log = setting.open();
    assert.equal(log.recall(markOf(0).key), undefined);
    assert.equal(log.recall(markOf(1).key)?.answer.kind, "freed");
    assert.match(setting.warnings.join("\n"), /at byte 0: .*; its request may be done again/);
  }
});

test("answers of another boot are nothing, and are written over (fault 16)", () => {
  using setting = setUp();
  setting.fill(2);

  const next = setting.open("another boot");
  next.note(markOf(7), { kind: "freed" });

  assert.equal(next.recall(markOf(0).key), undefined);
  assert.deepEqual(setting.warnings, []);
  assert.equal(setting.open().recall(markOf(1).key)?.answer.kind, "freed");
  assert.equal(setting.open().recall(markOf(0).key), undefined);
});

test("the last 4,096 answers are kept, in a file that stays as big", () => {
  using setting = setUp();
  const log = setting.open();
  for (let at = 0; at < rememberedAnswers + 2; at++) log.note(markOf(at), { kind: "freed" });

  const next = setting.open();

  for (const each of [log, next]) {
    assert.equal(each.recall(markOf(1).key), undefined);
    for (let at = 2; at < rememberedAnswers + 2; at++) assert.ok(each.recall(markOf(at).key));
  }
  assert.equal(statSync(setting.path).size, rememberedAnswers * slotBytes);
});

test("an answer that was taken back is not there, nor for the next daemon", () => {
  using setting = setUp();
  const log = setting.open();
  for (const at of [0, 1]) log.note(markOf(at), { kind: "freed" });

  log.forget(markOf(0));

  for (const each of [log, setting.open()]) {
    assert.equal(each.recall(markOf(0).key), undefined);
    assert.equal(each.recall(markOf(1).key)?.answer.kind, "freed");
  }
});

test("an answer that had room is written without more of the disk (fault 23)", () => {
  using setting = setUp();
  using log = setting.open();
  const rooms = Array.from({ length: 65 }, () => log.reserve());
  const { size } = statSync(setting.path);

  for (let at = 0; at < rooms.length; at++) log.note(markOf(at), { kind: "allocated" });

  assert.equal(statSync(setting.path).size, size);
  assert.equal(setting.open().recall(markOf(64).key)?.answer.kind, "allocated");
});

test("a link in the place of the file is not followed (fault 67)", () => {
  using setting = setUp();
  const target = join(setting.directory, "target");
  writeFileSync(target, "x");
  symlinkSync(target, setting.path);

  const log = setting.open();

  assert.throws(() => log.reserve(), { kind: "host" });
  assert.equal(readFileSync(target, "utf8"), "x");
});

function setUp() {
  const temporary = mkdtempDisposableSync("/tmp/al-");
  const logs: RequestLog[] = [];
  const warnings: string[] = [];
  const path = join(temporary.path, "requests");
  function open(bootId = "boot"): RequestLog {
    const disk = new StateDisk(temporary.path, () => undefined);
    const log = new RequestLog({ path, bootId, disk, warn: (message) => warnings.push(message) });
    logs.push(log);
    return log;
  }
  return {
    ...{ directory: temporary.path, path, warnings, open },
    /** The file, with so many answers. */
    fill(count: number): Buffer {
      const log = open();
      for (let at = 0; at < count; at++) log.note(markOf(at), { kind: "freed" });
      return readFileSync(path);
    },
    [Symbol.dispose]() {
      for (const log of logs) log[Symbol.dispose]();
      temporary.remove();
    },
  };
}

function markOf(request: number): RequestMark {
  return { key: hash(request), digest: hash(request + 1) };
}

function hash(number: number): string {
  return number.toString(16).padStart(32, "0");
}
