import assert from "node:assert/strict";
import { test } from "node:test";
import type { CellName } from "./cell-name.ts";
import type { ExecutableName } from "./executable-spec.ts";
import { parseCell } from "./parse-cell.ts";
import { setUpCells } from "./testing.ts";

const { signal } = new AbortController();
const server = "server" as ExecutableName;
const web = "web" as CellName;

test("allocate() of a name that is taken fails, and the cell stays", async () => {
  const { cells, allocate } = setUpCells();
  await allocate("web");

  await assert.rejects(allocate("web"), { reason: "CELL_EXISTS" });

  assert.equal(cells.get(web).state.kind, "allocated");
});

test("allocate() twice at once makes one cell", async () => {
  const { host, allocate } = setUpCells();

  const outcomes = await Promise.allSettled([allocate("web"), allocate("web")]);

  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["fulfilled", "rejected"],
  );
  assert.deepEqual(host.log, ["enclose web"]);
});

test("allocate() that the host refuses leaves the name free", async () => {
  const { host, allocate } = setUpCells();
  host.failOn = "enclose web";

  await assert.rejects(allocate("web"), { kind: "host" });

  await allocate("web");
});

test("allocate() of a child needs its parent", async () => {
  const { allocate } = setUpCells();

  await assert.rejects(allocate("web/a"), {
    reason: "PARENT_CELL_NOT_FOUND",
    metadata: { cell: "web/a", parent: "web" },
  });
});

test("allocate() of a caller that has left does nothing", async () => {
  const { cells, host } = setUpCells();
  const { name, spec } = parseCell({ name: "web", cpuShares: 0n, labels: {} });

  await assert.rejects(cells.allocate(name, spec, AbortSignal.abort()), { kind: "cancelled" });

  assert.deepEqual(host.log, []);
});

test("adopt() leaves a cell alone whose parent was not adopted, and tells it", async () => {
  const { cells, host } = setUpCells();
  host.left = ["gone/a", "gone/a/b", "web", "web/a"] as CellName[];

  const orphans = await cells.adopt();

  assert.deepEqual(orphans, ["gone/a", "gone/a/b"]);
  assert.deepEqual(
    cells.list(undefined).map(({ name, children }) => [name, ...children.keys()]),
    [["web", "web/a"]],
  );
  assert.deepEqual(host.log, []);
});

test("start() of a name that runs fails, of one that has ended succeeds with the next number", async () => {
  const { cells, allocate, start } = setUpCells();
  await allocate("web");
  const first = await start("sleep 9");

  await assert.rejects(start("sleep 9"), { reason: "EXECUTABLE_EXISTS" });
  await cells.stop(web, server, 0, signal);
  const second = await start("sleep 9");

  assert.deepEqual([first.run, second.run], [1, 2]);
});

test("a start that the host refuses leaves the run before it as it was", async () => {
  const { cells, allocate, start } = setUpCells();
  await allocate("web");
  for (const code of [1, 2]) {
    await start(`exit ${code}`);
    await cells.wait(web, server, undefined, signal);
  }

  await assert.rejects(start("missing"), { reason: "COMMAND_NOT_FOUND" });

  const { executables } = cells.get(web);
  assert.equal(executables.run(server).executable.command, "exit 2");
  assert.equal(executables.run(server, 1).executable.command, "");
});

test("start() that the host refuses leaves no executable behind", async () => {
  const { cells, allocate, start } = setUpCells();
  await allocate("web");

  await assert.rejects(start("missing"), { reason: "COMMAND_NOT_FOUND" });

  await assert.rejects(cells.stop(web, server, 0, signal), { reason: "EXECUTABLE_NOT_FOUND" });
});

test("stop() during start() waits for it, then stops it", async () => {
  const { cells, allocate, start } = setUpCells();
  await allocate("web");

  const [, end] = await Promise.all([start("sleep 9"), cells.stop(web, server, 0, signal)]);

  assert.deepEqual([end.reason, end.signal], ["aborted", 15]);
});

test("stop() of an executable that has ended tells how", async () => {
  const { cells, allocate, start } = setUpCells();
  await allocate("web");
  await start("exit 3");
  await cells.wait(web, server, undefined, signal);

  const end = await cells.stop(web, server, 0, signal);

  assert.deepEqual([end.reason, end.exitCode], ["exited", 3]);
});

test("wait() answers for all executables of the cell, sorted by name", async () => {
  const { cells, allocate, start } = setUpCells();
  await allocate("web");
  for (const name of ["b", "a"]) await start("exit 1", "web", name);

  const runs = await cells.wait(web, undefined, undefined, signal);

  assert.deepEqual(
    runs.map((run) => [run.executable.name, run.state.kind]),
    [
      ["a", "ended"],
      ["b", "ended"],
    ],
  );
});

test("wait() ends when its caller leaves", async () => {
  const { cells, allocate, start } = setUpCells();
  await allocate("web");
  await start("sleep 9");
  const caller = new AbortController();

  const waiting = cells.wait(web, server, undefined, caller.signal);
  caller.abort();

  await assert.rejects(waiting, { kind: "cancelled" });
});

test("wait() for a run that is not remembered is not found", async () => {
  const { cells, allocate, start } = setUpCells();
  await allocate("web");
  await start("sleep 9");

  await assert.rejects(cells.wait(web, server, 7, signal), { reason: "RUN_NOT_FOUND" });
});

test("a cell whose init died is failed: start is refused, free works", async () => {
  const { cells, host, allocate, start } = setUpCells();
  await allocate("web");
  await start("sleep 9");
  host.enclosures.get(web)?.fail("init died");

  assert.equal(cells.get(web).state.kind, "failed");
  await assert.rejects(start("exit 0", "web", "other"), { reason: "CELL_FAILED" });
  await cells.free(web, 0, signal);
});

test("list() is sorted by name", async () => {
  const { cells, allocate } = setUpCells();
  for (const name of ["b", "a", "A"]) await allocate(name);

  assert.deepEqual(
    cells.list(undefined).map(({ name }) => name),
    ["A", "a", "b"],
  );
});

test("a cell forgets the executables that ended first, beyond 1,024", async () => {
  const { cells, allocate, start } = setUpCells();
  await allocate("web");

  for (let count = 0; count <= 1024; count++) {
    await start("exit 0", "web", `x${count}`);
    await cells.wait(web, `x${count}` as ExecutableName, undefined, signal);
  }
  await start("exit 0", "web", "last");

  await assert.rejects(cells.wait(web, "x0" as ExecutableName, undefined, signal), {
    reason: "EXECUTABLE_NOT_FOUND",
  });
  assert.ok([...cells.get(web).executables].length <= 1025);
});
