import assert from "node:assert/strict";
import { existsSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, test } from "node:test";
import { CellService, CellState, type CellStatus } from "@aurae/api/runtime";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { type Daemon, needsRoot as skip, startDaemon } from "../daemon.ts";
import { cgroupsOf, readCgroup } from "../host.ts";

/** Root of the host changes the cgroups of a cell; the daemon tells of it and writes nothing back. */

let daemon: Daemon;
let client: WireClient;

before(async () => {
  if (skip) return;
  daemon = await startDaemon();
  client = new WireClient(daemon);
});

after(async () => {
  client?.[Symbol.dispose]();
  await daemon?.[Symbol.asyncDispose]();
});

async function list(cellName: string): Promise<CellStatus | undefined> {
  const { cells } = await client.call(CellService.method.list, { cellName });
  return cells[0];
}

/** Remove the cgroups of a cell that nothing runs in: its init is moved out first. */
function removeCgroups(cell: string): void {
  for (const directory of cgroupsOf(daemon, cell)) {
    const root = dirname(dirname(dirname(directory)));
    const init = readFileSync(`${directory}/_init/cgroup.procs`, "utf8").trim();
    writeFileSync(`${root}/cgroup.procs`, init);
    rmdirSync(`${directory}/_init`);
    rmdirSync(directory);
  }
}

/** Write a file of a cell's cgroup, in whichever hierarchy has it. */
function writeCgroup(cell: string, file: string, value: string): void {
  const paths = cgroupsOf(daemon, cell).map((directory) => `${directory}/${file}`);
  writeFileSync(paths.find((path) => existsSync(path)) ?? file, value);
}

test("a cell whose cgroups were removed is shown as failed, takes no start, and is freed (fault 18)", {
  skip,
}, async () => {
  await client.allocate({ name: "bare" });
  removeCgroups("bare");

  const cell = await list("bare");

  assert.equal(cell?.state, CellState.FAILED);
  assert.match(cell.reason, /cgroups were removed from outside/);
  const executable = { name: "main", command: "true", cellName: "bare" };
  const start = await answerTo(client.call(CellService.method.start, { executable }));
  assert.deepEqual([start.code, start.reason], [status.FAILED_PRECONDITION, "CELL_FAILED"]);
  await client.free("bare");
  assert.equal((await answerTo(client.free("bare"))).code, status.NOT_FOUND);
});

test("Start finds by itself that the cgroups of a cell were removed (fault 18)", {
  skip,
}, async () => {
  await client.allocate({ name: "bare" });
  removeCgroups("bare");

  const executable = { name: "main", command: "true", cellName: "bare" };
  const start = await answerTo(client.call(CellService.method.start, { executable }));

  assert.deepEqual([start.code, start.reason], [status.FAILED_PRECONDITION, "CELL_FAILED"]);
  const { cells } = await client.call(CellService.method.list, {});
  assert.equal(cells[0]?.state, CellState.FAILED);
  await client.free("bare");
});

test("List of a cell tells which limits were changed from outside, and leaves them (fault 19)", {
  skip,
}, async () => {
  const limits = { pidsMax: 64, memoryMaxBytes: 33_554_432n };
  await client.allocate({ name: "loose", cpuShares: 512n, limits });
  assert.deepEqual((await list("loose"))?.changedLimits, []);

  writeCgroup("loose", "pids.max", "100");

  const cell = await list("loose");
  assert.deepEqual(cell?.changedLimits, ["pids.max is 100, not 64"]);
  assert.equal(cell.state, CellState.ALLOCATED);
  assert.equal(readCgroup(daemon, "loose", "pids.max"), "100");
  writeCgroup("loose", "pids.max", "64");
  assert.deepEqual((await list("loose"))?.changedLimits, []);
  await client.free("loose");
});
