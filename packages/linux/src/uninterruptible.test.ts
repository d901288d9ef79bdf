import assert from "node:assert/strict";
import { test } from "node:test";
import { Cells } from "@aurae/domain/cells";
import { Failure } from "@aurae/domain/errors";
import { FrozenProcess, skipWithoutFreezer as skip } from "./testing/frozen-process.ts";
import { hasReason } from "./testing/has-reason.ts";
import { assertNothingLeft, settledCensus } from "./testing/leak-oracle.ts";
import { warmSetting } from "./testing/linux-setting.ts";
import { cellName, executableName, program } from "./testing/watched-cell.ts";

const { signal } = new AbortController();
const main = executableName("main");
const spec = {
  limits: { pidsMax: 64 },
  shared: new Set<never>(),
  labels: new Map<string, string>(),
};
const quick = { killTimeoutMs: 100 };

test("Stop of an uninterruptible process names it; it is stopping, and ends when let go (fault 40)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  await setting.restart(quick);
  const cells = new Cells(setting.host);
  const [web, other] = [cellName("web"), cellName("other")];
  for (const name of [web, other]) await cells.allocate(name, spec, signal);
  const { pid } = await cells.start(web, program("exec sleep 1000"), signal);

  {
    await using _frozen = await FrozenProcess.freeze(pid);
    await assert.rejects(cells.stop(web, main, 0, signal), {
      kind: "too-slow",
      reason: "PROCESSES_UNINTERRUPTIBLE",
      message: `Cannot stop run 1 in cell "web": 1 process is uninterruptible (state D): ${pid}; it ends when the kernel lets go`,
      metadata: { processes: "1", pids: `${pid}` },
    });
    assert.equal(cells.get(web).executables.run(main).state.kind, "stopping");
    await cells.start(other, program("exit 3"), signal);
    assert.equal(exitCodeOf(await cells.wait(other, main, undefined, signal)), 3);
  }

  const [run] = await cells.wait(web, main, undefined, signal);
  assert.equal(run?.state.kind === "ended" && run.state.end.reason, "aborted");
  assert.equal((await atLast(() => cells.stop(web, main, 0, signal))).reason, "aborted");
  for (const name of [web, other]) await atLast(() => cells.free(name, 0, signal));
});

test("Free of an uninterruptible process names it, and Free again finds it gone (fault 40)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  await setting.restart(quick);
  const before = await settledCensus(setting);
  const cells = new Cells(setting.host);
  const [team, web] = [cellName("team"), cellName("team/web")];
  for (const name of [team, web]) await cells.allocate(name, spec, signal);
  const { pid } = await cells.start(web, program("exec sleep 1000"), signal);

  {
    await using _frozen = await FrozenProcess.freeze(pid);
    await assert.rejects(cells.free(web, 0, signal), hasReason("PROCESSES_UNINTERRUPTIBLE"));
    const { state } = cells.get(web);
    assert.match(state.kind === "failed" ? state.why : state.kind, /uninterruptible \(state D\)/);
  }

  await atLast(() => cells.free(team, 0, signal));
  await assertNothingLeft(setting, before);
});

test("Stop that its supervisor does not carry out says so, and what lives on", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  await setting.restart(quick);
  const cells = new Cells(setting.host);
  const web = cellName("web");
  await cells.allocate(web, spec, signal);
  const { pid } = await cells.start(web, program("exec sleep 1000"), signal);
  const [supervisor = 0] = setting.supervisors;
  process.kill(supervisor, "SIGSTOP");

  const stopped = cells.stop(web, main, 0, signal);

  await assert.rejects(stopped, { kind: "unavailable", message: new RegExp(`live on: ${pid}$`) });
  process.kill(supervisor, "SIGCONT");
  assert.equal((await atLast(() => cells.stop(web, main, 0, signal))).reason, "aborted");
  await atLast(() => cells.free(web, 0, signal));
});

/** Ask again while the machine is slower than the short time that these tests give it. */
async function atLast<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await ask();
    } catch (cause) {
      if (!(cause instanceof Failure && ["unavailable", "too-slow"].includes(cause.kind)))
        throw cause;
    }
  }
}

function exitCodeOf(runs: Awaited<ReturnType<Cells["wait"]>>): number | undefined {
  const [state] = runs.map((run) => run.state);
  return state?.kind === "ended" ? state.end.exitCode : undefined;
}
