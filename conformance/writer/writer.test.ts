import assert from "node:assert/strict";
import { test } from "node:test";
import { type LogItem, LogItemSchema, Observe } from "@aurae/api/observe";
import { CellService } from "@aurae/api/runtime";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { WireClient } from "../client.ts";
import { needsRoot, spawnDaemon, startDaemon } from "../daemon.ts";
import { LineCheck, type LineCount } from "./line-check.ts";
import { numberedWriter } from "./numbered-writer.ts";

/** The numbered writer, its checker, and daemons that are killed meanwhile. */

function count(...items: (MessageInitShape<typeof LogItemSchema> & { line: string })[]): LineCount {
  const check = new LineCheck();
  for (const item of items) {
    const channel = item.line.includes("err") ? "w::stderr" : "w::stdout";
    check.take(create(LogItemSchema, { channel, ...item }));
  }
  return check.count;
}

const whole = [{ line: "1 7 out" }, { line: "1 7 err" }, { line: "2 7 out" }, { line: "2 7 err" }];
const ends = [{ line: "2 7 out end" }, { line: "2 7 err end" }];
const nothing = { lost: 0, doubled: 0, foreign: 0 };

test("the checker counts each line of both channels, and their ends", () => {
  assert.deepEqual(count(...whole, ...ends), { lines: 4, ...nothing, ended: 2 });
});

test("the checker sees a line that is missing, at the end too", () => {
  assert.equal(count({ line: "1 7 out" }, { line: "3 7 out" }).lost, 1);
  assert.equal(count({ line: "1 7 out" }, { line: "3 7 out end" }).lost, 2);
});

test("the checker sees a line that comes twice, or late", () => {
  assert.equal(count({ line: "1 7 out" }, { line: "1 7 out" }).doubled, 1);
  const late = count({ line: "2 7 out" }, { line: "1 7 out" });
  assert.deepEqual([late.lost, late.doubled], [1, 1]);
});

test("the checker sees what no writer wrote, and gaps", () => {
  for (const item of [
    { line: "1 7 ou" },
    { line: "" },
    { line: "1 8 out" },
    { line: "2 7 out", partial: true },
    { line: "2 7 out", channel: "w::stderr" },
    { line: "", gap: { linesDropped: 3n } },
  ])
    assert.equal(count({ line: "1 7 out" }, item).foreign, 1, item.line);
});

test("20,000 lines come once and in order, whatever daemon there is (fault 58)", {
  skip: needsRoot,
}, async () => {
  await using first = await startDaemon();
  const one = { cellName: "lines", executableName: "writer" };
  {
    using client = new WireClient(first);
    await client.allocate({ name: one.cellName });
    const { command, args } = numberedWriter({ lines: 20_000, paceUs: 20, end: 9 });
    const executable = { name: "writer", cellName: one.cellName, command, args: [...args] };
    await client.call(CellService.method.start, { executable });
  }

  process.kill(first.pid, "SIGKILL");
  await first.ended;
  await using second = await spawnDaemon(first.directory);
  using client = new WireClient(second);
  const check = new LineCheck();
  for await (const item of client.open(Observe.method.getSubProcessStream, {
    ...one,
    allChannels: true,
  }) as AsyncIterable<LogItem>)
    check.take(item);

  const { executables } = await client.call(CellService.method.wait, one);
  assert.deepEqual(check.count, { lines: 40_000, ...nothing, ended: 2 });
  assert.equal(executables[0]?.end?.exitCode, 9);
});
