import assert from "node:assert/strict";
import { CellService, CellState, EndReason, RunState } from "@aurae/api/runtime";
import { status } from "@grpc/grpc-js";
import { answerTo, type WireClient } from "../client.ts";
import type { Daemon } from "../daemon.ts";
import { cgroupsOf, pidsOf } from "../host.ts";

const { allocate, free, list, start, stop } = CellService.method;
const executableName = "main";

/** Where an operation is tried: a daemon that serves, and a cell that is new each time. */
export interface Scene {
  readonly daemon: Daemon;
  readonly client: WireClient;
  readonly cellName: string;
}

/** One of the operations that change something, with what has to be there before and what must hold after. */
export interface Operation {
  readonly name: string;
  prepare(scene: Scene): Promise<unknown>;
  act(scene: Scene): Promise<unknown>;
  /** It was cut short, or failed: it is done or not done, nothing between, and may be asked again. */
  verify(scene: Scene): Promise<void>;
}

export const operations: readonly Operation[] = [
  {
    name: "Allocate",
    prepare: () => Promise.resolve(),
    act: allocateCell,
    async verify(scene) {
      if (!(await isWhole(scene))) await allocateCell(scene);
      await startProgram(scene);
    },
  },
  {
    name: "Start",
    prepare: allocateCell,
    act: startProgram,
    async verify(scene) {
      const running = await runningPid(scene);
      const pids = pidsOf(scene.daemon, scene.cellName, executableName);
      assert.deepEqual(pids, running === undefined ? [] : [running]);
      if (running === undefined) await startProgram(scene);
    },
  },
  {
    name: "Stop",
    async prepare(scene) {
      await allocateCell(scene);
      await startProgram(scene);
    },
    act: stopProgram,
    async verify(scene) {
      const { end } = await stopProgram(scene);
      assert.equal(end?.reason, EndReason.ABORTED);
      assert.deepEqual(pidsOf(scene.daemon, scene.cellName, executableName), []);
    },
  },
  {
    name: "Free",
    async prepare(scene) {
      await allocateCell(scene);
      await startProgram(scene);
    },
    act: freeCell,
    verify: () => Promise.resolve(),
  },
];

/** Free the cell if it is there; nothing of it is left then. */
export async function clear(scene: Scene): Promise<void> {
  const { code, message } = await answerTo(freeCell(scene));
  assert.ok(code === status.OK || code === status.NOT_FOUND, message);
  assert.deepEqual(cgroupsOf(scene.daemon, scene.cellName), []);
}

function allocateCell({ client, cellName }: Scene) {
  return client.call(allocate, { cell: { name: cellName, limits: { memoryMaxBytes: 1n << 26n } } });
}

function startProgram({ client, cellName }: Scene) {
  return client.call(start, {
    executable: { name: executableName, command: "sleep", args: ["1000"], cellName },
  });
}

function stopProgram({ client, cellName }: Scene) {
  return client.call(stop, { cellName, executableName, graceMs: 0 });
}

function freeCell({ client, cellName }: Scene) {
  return client.call(free, { cellName, graceMs: 0 });
}

async function isWhole({ client, daemon, cellName }: Scene): Promise<boolean> {
  const { code } = await answerTo(client.call(list, { cellName }));
  assert.ok(code === status.OK || code === status.NOT_FOUND);
  assert.equal(code === status.OK, cgroupsOf(daemon, cellName).length > 0);
  return code === status.OK;
}

async function runningPid({ client, cellName }: Scene): Promise<number | undefined> {
  const { cells } = await client.call(list, { cellName });
  assert.equal(cells[0]?.state, CellState.ALLOCATED);
  const executable = cells[0].executables.find(({ state }) => state === RunState.RUNNING);
  return executable && Number(executable.pid);
}
