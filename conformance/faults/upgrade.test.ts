import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, writeSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Observe } from "@aurae/api/observe";
import { CellService, CellState, EndReason } from "@aurae/api/runtime";
import { WireClient } from "../client.ts";
import { type Daemon, needsRoot, spawnDaemon, startDaemon } from "../daemon.ts";
import { killDaemon, listCells, onShim, supervisorsOf } from "./restarts.ts";

/** This daemon over cells that were made with the shims of earlier releases. */

const releases = join(import.meta.dirname, "../../packages/linux/src/testing/releases");

/** Of a hundred in the long form. */
const cellCount = 6;

for (const version of readdirSync(releases)) {
  const shimDir = join(releases, version, `shim-${arch()}`);
  const isKept = existsSync(shimDir);

  test(`cells of the shim of ${version} outlive daemons that are killed as they take over (faults 108, 109, 111)`, {
    skip: needsRoot || (!isKept && "no shim was kept for this kind of machine"),
  }, async () => {
    await using first = await startDaemon({ through: onShim(shimDir) });
    using go = openPipe(`${first.directory}/go`);
    const pids = await startAll(first, go.path);
    const supervisors = supervisorsOf(first);

    await using _left = await killDaemon(first);
    for (const supervisor of [1, 3, cellCount]) {
      const through = killedWhenItMeets(supervisor);
      const dying = spawnDaemon(first.directory, { through });
      await assert.rejects(dying.then(end), /did not serve \(SIGKILL\):\n$/);
    }
    await using second = await spawnDaemon(first.directory);
    go.write("now\n".repeat(cellCount));

    const cells = await listCells(second);
    assert.deepEqual(
      cells.map(({ state, executables }) => [state, Number(executables[0]?.pid)]),
      pids.map((pid) => [CellState.ALLOCATED, pid]),
    );
    assert.deepEqual(supervisorsOf(second), supervisors);
    using client = new WireClient(second);
    for (const { cell } of cells) await finish(client, cell?.name ?? "");
  });
}

/** One that came to serve all the same. */
async function end(daemon: Daemon): Promise<void> {
  await daemon[Symbol.asyncDispose]();
}

/** For `through`: the daemon is killed as it connects to a supervisor, the first or a later one. */
function killedWhenItMeets(supervisor: number): readonly string[] {
  const inject = `inject=connect:signal=SIGKILL:when=${supervisor}`;
  return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=connect", "-e", inject];
}

/** Cells that have said a word, and wait for one before they say another and end with 7. */
async function startAll(daemon: Daemon, go: string): Promise<readonly number[]> {
  using client = new WireClient(daemon);
  const command = `echo before; dd bs=4 count=1 < ${go} 2> /dev/null; echo after; exit 7`;
  const pids = [];
  for (let index = 0; index < cellCount; index++) {
    const cellName = `cell-${index}`;
    await client.allocate({ name: cellName });
    const executable = { name: "main", command, cellName };
    pids.push(Number((await client.call(CellService.method.start, { executable })).pid));
  }
  return pids;
}

/** Its log has no gap, its end is told, and it can be used, stopped and freed. */
async function finish(client: WireClient, cellName: string): Promise<void> {
  const main = { cellName, executableName: "main" };
  const { executables } = await client.call(CellService.method.wait, main);
  assert.equal(executables[0]?.end?.exitCode, 7);
  const lines = await client.all(Observe.method.getSubProcessStream, main);
  assert.deepEqual(
    lines.map(({ line }) => line),
    ["before", "now", "after"],
  );
  const executable = { name: "more", command: "exec sleep 1000", cellName };
  await client.call(CellService.method.start, { executable });
  const stopped = await client.call(CellService.method.stop, { cellName, executableName: "more" });
  assert.equal(stopped.end?.reason, EndReason.ABORTED);
  await client.free(cellName);
}

interface Pipe extends Disposable {
  readonly path: string;
  write(text: string): void;
}

/** Open both ways, so that what is written waits for whoever comes late. */
function openPipe(path: string): Pipe {
  execFileSync("mkfifo", [path]);
  const descriptor = openSync(path, "r+");
  return {
    path,
    write: (text) => {
      writeSync(descriptor, text);
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  };
}
