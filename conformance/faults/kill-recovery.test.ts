import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, afterEach, before, test } from "node:test";
import { CellService, RunState } from "@aurae/api/runtime";
import { answerTo, type WireClient } from "../client.ts";
import { needsRoot as skip } from "../daemon.ts";
import { CrashDaemon, sleeper } from "./crash-daemon.ts";

/** Daemons that die while they recover, and daemons that die of an error of their own. */

const { allocate, free, start, stop } = CellService.method;

let crashing: CrashDaemon;

before(async () => {
  if (!skip) crashing = await CrashDaemon.start();
});

// What a test that failed has left would fail the next.
afterEach(async () => {
  if (skip) return;
  crashing.failpoints.release();
  for (const cellName of ["half", "whole", "ending"])
    await answerTo(crashing.client.call(free, { cellName, graceMs: 0 }));
});

after(async () => {
  await crashing?.[Symbol.asyncDispose]();
});

/** Kill the daemon while one cell is half made, one is half freed, and one has a run and half another. */
async function breakOff(): Promise<number> {
  const { client, failpoints } = crashing;
  await client.allocate({ name: "ending" });
  await crashing.startTrapping("ending", "");
  await client.allocate({ name: "whole" });
  const executable = { ...sleeper, cellName: "whole" };
  const { pid } = await client.call(start, { executable });
  const plan = ["free.2.refusing=1*pause", "start.4.cloned=1*pause"];
  const freeing = answerTo(client.call(free, { cellName: "ending", graceMs: 60_000 }));
  failpoints.arm([...plan, "allocate.6.ready=1*kill"].join(";"));
  await failpoints.reached("free.2.refusing", freeing);
  failpoints.go();
  const starting = answerTo(client.call(start, { executable: { ...executable, name: "half" } }));
  await failpoints.reached("start.4.cloned", starting);
  await answerTo(client.allocate({ name: "half" }));
  return Number(pid);
}

for (const kills of [
  ["recover.1.found=kill", "recover.2.met=kill", "recover.3.dropped=kill"],
  ["recover.3.dropped=1*off->kill", "recover.4.rolled=1*off->kill", "recover.5.taken=kill"],
  ["recover.3.dropped=kill", "recover.3.dropped=kill", "recover.3.dropped=kill"],
]) {
  test(`a daemon killed in recovery by ${kills.join(", then ")} recovers all the same (fault 7)`, {
    skip,
  }, async () => {
    const before = crashing.census();
    const pid = await breakOff();

    for (const kill of kills) {
      crashing.failpoints.arm(kill);
      await assert.rejects(crashing.restart(), /did not serve/);
    }
    crashing.failpoints.disarm();
    await crashing.restart();

    const whole = await crashing.find("whole");
    const running = whole?.executables.map((one) => [
      one.executable?.name,
      one.state,
      Number(one.pid),
    ]);
    assert.deepEqual(running, [["main", RunState.RUNNING, pid]]);
    assert.deepEqual(crashing.processesIn("whole"), [pid]);
    assert.deepEqual(crashing.processesIn("whole", "half"), []);
    assert.deepEqual(
      [await crashing.find("half"), await crashing.find("ending")],
      [undefined, undefined],
    );
    await crashing.client.free("whole");
    await crashing.assertAsBefore(before);
    await crashing.assertUnnoticed();
  });
}

for (const step of ["allocate.6.ready", "start.3.sent", "stop.1.intent", "free.6.mounts"]) {
  test(`a daemon that dies of an error of its own at ${step} has lost nothing (fault 15)`, {
    skip,
  }, async () => {
    const before = crashing.census();
    const cellName = "whole";
    const executable = { ...sleeper, cellName };
    const one = { cellName, executableName: "main" };
    const requestId = randomUUID();
    const calls: readonly (readonly [string, (client: WireClient) => Promise<unknown>])[] = [
      [
        "allocate",
        (client) =>
          client.call(allocate, { cell: { name: cellName }, requestId: `a-${requestId}` }),
      ],
      ["start", (client) => client.call(start, { executable, requestId: `b-${requestId}` })],
      ["stop", (client) => client.call(stop, { ...one, requestId: `c-${requestId}` })],
      ["free", (client) => client.call(free, { cellName, requestId: `d-${requestId}` })],
    ];

    for (const [operation, call] of calls) {
      if (step.startsWith(operation)) await crashing.panicAt(step, () => call(crashing.client));
      await call(crashing.client);
    }

    await crashing.assertAsBefore(before);
    await crashing.assertUnnoticed();
  });
}
