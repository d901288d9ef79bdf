import assert from "node:assert/strict";
import { test } from "node:test";
import type { CellName } from "./cell-name.ts";
import type { ExecutableName } from "./executable-spec.ts";
import { setUpCells } from "./testing.ts";

const { signal } = new AbortController();
const web = "web" as CellName;
const server = "server" as ExecutableName;
const mark = { key: "k", digest: "d" };

test("a request that is marked marks what it does on the host", async () => {
  const { cells, host, allocate, start } = setUpCells();
  const { spec } = await allocate("other");
  await cells.allocate(web, spec, signal, mark);
  await start("sleep 1000");

  await cells.stop(web, server, 0, signal, mark);
  await cells.free(web, 0, signal, mark);

  assert.deepEqual(host.marks, ["enclose k", "stop k", "ending k"]);
});

test("free() of a cell that is being freed marks that too", async () => {
  const { cells, host, allocate } = setUpCells();
  await allocate("web");

  await Promise.all([cells.free(web, 0, signal), cells.free(web, 0, signal, mark)]);

  assert.deepEqual(host.marks, ["ending k"]);
});

test("free() is marked before its children are freed, and no more when one could not be", async () => {
  const { cells, host, allocate } = setUpCells();
  await allocate("web");
  await allocate("web/inner");
  host.failOn = "end web/inner";

  const freed = cells.free(web, 0, signal);

  assert.equal(host.enclosures.get(web)?.isMarkedEnding, true);
  await assert.rejects(freed, { kind: "host" });
  assert.equal(host.enclosures.get(web)?.isMarkedEnding, false);
});

test("adopt() goes on with a stop that was begun, and its repeat waits for it", async () => {
  const { cells, host, start } = setUpCells();
  host.left = [web];
  const report = { run: 1, executable: server, pid: 1001, startedAtNs: 1n };
  const open = { ...report, treeIsEmpty: false, logIsComplete: false };
  const spec = { name: server, command: "sleep 1000", description: "", args: [], env: new Map() };
  const run = {
    report: open,
    spec: { ...spec, workingDirectory: "/", uid: 0, gid: 0, noShell: false },
  };
  host.leftRuns = [{ ...run, stops: [{ graceMs: 0, mark }] }];

  await cells.adopt();
  const repeat = await cells.requests.once("stopped", mark, neverAsked, signal);
  await start("sleep 1000");
  const late = await cells.requests.once("stopped", mark, neverAsked, signal);

  assert.equal(repeat.end.reason, "aborted");
  assert.equal(late, repeat);
  assert.deepEqual(host.log, ["stop web server", "start web server"]);
});

function neverAsked(): never {
  throw new Error("it was done again");
}
