import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { CellService, EndReason, type RunEnd } from "@aurae/api/runtime";
import { crashSteps, shimSteps } from "@aurae/domain/failpoint-names";
import { status } from "@grpc/grpc-js";
import { type Answer, answerTo } from "../client.ts";
import { needsRoot as skip } from "../daemon.ts";
import type { Census } from "../oracle/oracle.ts";
import { until } from "../until.ts";
import { CrashDaemon } from "./crash-daemon.ts";
import { initUnder, supervisorsOf } from "./shim-processes.ts";

/** Supervisors and inits are killed at every step at which there is one. */

const cellName = "victim";
const main = { cellName, executableName: "main" };
const { free, stop, wait } = CellService.method;

/** Points of the shim between the steps. */
const between = [
  "stage.cloned",
  "enclose.init",
  "enclose.ready",
  "enclose.bound",
  "start.reported",
  "start.written",
  "free.ending",
  "free.leaving",
];

/** Who stands still there is no supervisor, and dies with the init. */
const newcomers = ["enclose.init", "start.4.cloned"];

/** Who stands still there has answered. */
const afterAnswer = /\.replied$/;

let crashing: CrashDaemon;
let others: readonly number[];

before(async () => {
  if (skip) return;
  crashing = await CrashDaemon.start();
  others = supervisorsOf(crashing.place);
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

/** The steps from one to another, in the order in which they are reached. */
function stepsFrom(first: (typeof crashSteps)[number], last: (typeof crashSteps)[number]) {
  return crashSteps.slice(crashSteps.indexOf(first), crashSteps.indexOf(last) + 1);
}

/** Bring the cell to where a step is reached next, and return what reaches it. */
async function prepare(step: string): Promise<() => Promise<unknown>> {
  const { client } = crashing;
  const operation = step.split(".")[0];
  if (operation === "allocate" || operation === "enclose")
    return () => client.allocate({ name: cellName });
  await client.allocate({ name: cellName });
  if (operation === "start" || operation === "stage")
    return () => crashing.start(cellName, "exec sleep 1000");
  await crashing.startTrapping(cellName, "");
  if (operation === "stop") return () => client.call(stop, { ...main, graceMs: 50 });
  return () => client.call(free, { cellName, graceMs: 50 });
}

/** Kill a process of the cell at a step. @returns the answer to what was asked */
async function killAt(step: string, victim: "supervisor" | "init"): Promise<Answer> {
  const { failpoints } = crashing;
  const call = await prepare(step);
  failpoints.arm(`${step}=1*pause`);
  const answer = answerTo(call());
  await failpoints.reached(step, afterAnswer.test(step) ? undefined : answer);
  // The launcher may be about to clone it: who connects does not wait for that.
  const [supervisor = 0] = await until(
    () => supervisorsOf(crashing.place).filter((pid) => !others.includes(pid)),
    (found) => found.length > 0,
  );
  const pid = victim === "supervisor" ? supervisor : (initUnder(supervisor) ?? 0);
  assert.ok(pid > 0, `there is no ${victim}`);
  process.kill(pid, "SIGKILL");
  const isShims = [...shimSteps, ...between].some((each) => each === step);
  const isDead = isShims && (victim === "supervisor" || newcomers.includes(step));
  if (!isDead) failpoints.go();
  failpoints.disarm();
  return answer;
}

/** How "main" ended, if it is known. */
async function endOfMain(): Promise<RunEnd | undefined> {
  const [known] = (await crashing.find(cellName))?.executables ?? [];
  if (known === undefined) return undefined;
  const { executables } = await crashing.client.call(wait, main);
  return executables[0]?.end;
}

/** Done, or not done and why. */
function assertSaid({ code, message }: Answer, ...refusals: readonly status[]): void {
  assert.ok(code === status.OK || refusals.includes(code), `${status[code]}: ${message}`);
}

/** Free works, and leaves nothing; a cell that did not come to be is not there. */
async function assertFreed(before: Census): Promise<void> {
  await crashing.assertUnnoticed();
  const { code, message } = await answerTo(crashing.client.call(free, { cellName, graceMs: 0 }));
  assert.ok(code === status.OK || code === status.NOT_FOUND, message);
  await crashing.assertAsBefore(before);
}

for (const step of [...stepsFrom("allocate.4.supervisor", "free.4.empty"), ...between]) {
  test(`a supervisor killed at ${step} takes its cell along and no other (fault 9)`, {
    skip,
  }, async () => {
    const before = crashing.census();

    const answer = await killAt(step, "supervisor");

    // One that has said nothing yet may be one that cannot be run.
    const isMute = step === "allocate.4.supervisor";
    assertSaid(answer, isMute ? status.FAILED_PRECONDITION : status.UNAVAILABLE);

    await endOfMain();
    assert.deepEqual(crashing.processesIn(cellName), []);
    await assertFreed(before);
  });
}

for (const step of stepsFrom("allocate.6.ready", "free.1.intent")) {
  test(`an init killed at ${step} takes its cell along, and what ran was killed (fault 10)`, {
    skip,
  }, async () => {
    const before = crashing.census();

    // The kernel says ENOMEM to who enters a PID namespace that ends.
    const answers = [status.FAILED_PRECONDITION, status.UNAVAILABLE, status.RESOURCE_EXHAUSTED];
    assertSaid(await killAt(step, "init"), ...answers);

    const end = await endOfMain();
    if (end !== undefined)
      assert.deepEqual([end.signal, end.reason === EndReason.LOST], [9, false]);
    assert.deepEqual(crashing.processesIn(cellName), []);
    await assertFreed(before);
  });
}

test("Allocate fails with a reason when its init dies before it is one (fault 11)", {
  skip,
}, async () => {
  const before = crashing.census();
  crashing.failpoints.arm("enclose.init=1*kill");

  const { code, message } = await answerTo(crashing.client.allocate({ name: cellName }));

  assert.equal(code, status.FAILED_PRECONDITION);
  assert.match(message, /it was killed before it began; .* \(ESRCH\)$/);
  crashing.failpoints.disarm();
  await crashing.assertAsBefore(before);
  await crashing.client.allocate({ name: cellName });
});

test("Start fails with a reason when its newcomer dies before exec (fault 11)", {
  skip,
}, async () => {
  await crashing.client.allocate({ name: cellName });
  const before = crashing.census();
  crashing.failpoints.arm("start.4.cloned=1*kill");

  const { code, message } = await answerTo(crashing.start(cellName, "exec sleep 1000"));

  assert.equal(code, status.FAILED_PRECONDITION);
  assert.match(message, /it was killed before it began; .* \(ESRCH\)$/);
  crashing.failpoints.disarm();
  await crashing.assertAsBefore(before);
  assert.deepEqual((await crashing.client.run(cellName, "echo whole")).lines, ["whole"]);
});
