import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, afterEach, before, test } from "node:test";
import { Observe } from "@aurae/api/observe";
import { CellService, CellState, EndReason, RunState } from "@aurae/api/runtime";
import { type CrashStep, crashSteps } from "@aurae/domain/failpoint-names";
import { status } from "@grpc/grpc-js";
import { answerTo } from "../client.ts";
import { needsRoot as skip } from "../daemon.ts";
import { CrashDaemon, sleeper } from "./crash-daemon.ts";

/** The daemon is killed at every step of every mutation, another one comes, and the request is sent again. */

const cellName = "victim";
const main = { cellName, executableName: "main" };
const cell = { name: cellName };
const executable = { ...sleeper, cellName };
const { allocate, free, start, stop, wait } = CellService.method;

let crashing: CrashDaemon;

before(async () => {
  if (!skip) crashing = await CrashDaemon.start();
});

// What a test that failed has left would fail the next.
afterEach(async () => {
  if (skip) return;
  crashing.failpoints.release();
  await answerTo(crashing.client.call(free, { cellName, graceMs: 0 }));
});

after(async () => {
  await crashing?.[Symbol.asyncDispose]();
});

function stepsOf(operation: string): readonly CrashStep[] {
  return crashSteps.filter((step) => step.startsWith(`${operation}.`));
}

/** Whether a step comes at or after another, in the order in which they are reached. */
function isFrom(step: CrashStep, first: CrashStep): boolean {
  return crashSteps.indexOf(step) >= crashSteps.indexOf(first);
}

for (const step of stepsOf("allocate")) {
  test(`a daemon killed at ${step} leaves a whole cell, or none without a trace (fault 1)`, {
    skip,
  }, async () => {
    const request = { cell, requestId: randomUUID() };
    const before = crashing.census();
    const logged = crashing.loggedCells;

    await crashing.crashAt(step, () => crashing.client.call(allocate, request));

    const found = await crashing.find(cellName);
    assert.equal(found?.state === CellState.ALLOCATED, isFrom(step, "allocate.7.committed"));
    if (found === undefined) await crashing.assertAsBefore(before);
    if (found === undefined) assert.deepEqual(crashing.loggedCells, logged);
    await crashing.client.call(allocate, request);
    const other = await answerTo(crashing.client.call(allocate, { cell }));
    assert.equal(other.code, status.ALREADY_EXISTS);
    assert.equal(crashing.loggedCells.length, logged.length + 1);
    assert.deepEqual((await crashing.client.run(cellName, "echo whole")).lines, ["whole"]);
    await crashing.client.free(cellName);
    await crashing.assertAsBefore(before);
    await crashing.assertUnnoticed();
  });
}

for (const step of stepsOf("start")) {
  test(`a daemon killed at ${step} leaves one process that is listed, or none (fault 2)`, {
    skip,
  }, async () => {
    const request = { executable, requestId: randomUUID() };
    const before = crashing.census();
    await crashing.client.allocate(cell);

    await crashing.crashAt(step, () => crashing.client.call(start, request));

    const [pid, ...more] = crashing.processesIn(cellName);
    assert.deepEqual([await runningPid(), more], [pid, []]);
    if (!isFrom(step, "start.3.sent")) assert.equal(pid, undefined);
    if (isFrom(step, "start.6.recorded")) assert.ok(pid !== undefined);
    const again = await crashing.client.call(start, request);
    assert.deepEqual(crashing.processesIn(cellName), [Number(again.pid)]);
    assert.equal(Number(again.pid), pid ?? Number(again.pid));
    const other = await answerTo(crashing.client.call(start, { executable }));
    assert.equal(other.code, status.ALREADY_EXISTS);
    await crashing.client.free(cellName);
    await crashing.assertAsBefore(before);
    await crashing.assertUnnoticed();
  });
}

/** What the daemon says that runs. */
async function runningPid(): Promise<number | undefined> {
  const [known] = (await crashing.find(cellName))?.executables ?? [];
  return known?.state === RunState.RUNNING ? Number(known.pid) : undefined;
}

for (const step of stepsOf("stop")) {
  test(`a daemon killed at ${step} has stopped it all the same, with its end and last line (fault 3)`, {
    skip,
  }, async () => {
    const isKilled = step === "stop.3.grace" || step === "stop.4.killed";
    const graceMs = isKilled ? 50 : 60_000;
    const request = { ...main, graceMs, requestId: randomUUID() };
    const before = crashing.census();
    await crashing.client.allocate(cell);
    await crashing.startTrapping(cellName, isKilled ? "" : "echo last; exit 7");

    await crashing.crashAt(step, () => crashing.client.call(stop, request));

    // What was not begun is asked again; what was begun needs nobody.
    if (!isFrom(step, "stop.1.intent")) await crashing.client.call(stop, request);
    const { executables } = await crashing.client.call(wait, main);
    const end = executables[0]?.end;
    assert.equal(end?.reason, EndReason.ABORTED);
    assert.deepEqual([end.exitCode, end.signal], isKilled ? [undefined, 9] : [7, undefined]);
    const items = await crashing.client.all(Observe.method.getSubProcessStream, main);
    const lines = items.map(({ line }) => line);
    assert.deepEqual(lines, isKilled ? ["first"] : ["first", "last"]);
    assert.deepEqual(crashing.processesIn(cellName), []);
    assert.deepEqual((await crashing.client.call(stop, request)).end, end);
    await crashing.client.free(cellName);
    await crashing.assertAsBefore(before);
    await crashing.assertUnnoticed();
  });
}

for (const step of stepsOf("free")) {
  test(`a daemon killed at ${step} has freed the cell all the same, and what is in it (fault 4)`, {
    skip,
  }, async () => {
    const request = { cellName, graceMs: 0, requestId: randomUUID() };
    const before = crashing.census();
    await crashing.client.allocate(cell);
    await crashing.client.allocate({ name: `${cellName}/inside` });
    await crashing.client.call(start, { executable });

    await crashing.crashAt(step, () => crashing.client.call(free, request));

    const found = await crashing.find(cellName);
    assert.equal(found?.state === CellState.ALLOCATED, !isFrom(step, "free.1.intent"));
    if (found === undefined) await crashing.assertAsBefore(before);
    await crashing.client.call(free, request);
    await crashing.assertAsBefore(before);
    await crashing.assertUnnoticed();
  });
}
