import assert from "node:assert/strict";
import { mkdtempDisposableSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CellDirectory } from "./cell-directory.ts";
import { ByteWriter } from "./shim/bytes.ts";
import { frameTypes as types } from "./shim/frames.ts";
import { Supervisor } from "./shim/supervisor.ts";
import { FakeSupervisor } from "./testing/fake-supervisor.ts";
import { program } from "./testing/watched-cell.ts";
import { dropUnfinishedStarts } from "./unfinished-starts.ts";

const hello = { version: 1, cellId: "0123456789abcdef", bootId: "boot", build: "test" };

test("a start that its supervisor knows nothing of is dropped", async (t) => {
  const { directory, peer, answer } = await findSupervisor(t);
  directory.writeSpec(1, program("true"));

  const dropping = dropUnfinishedStarts(directory, answer, refuseWarning);
  const esrch = new ByteWriter().i32(3).bytes("run").finish();
  peer.answer(await peer.take(types.stop), types.failed, esrch);
  await dropping;

  assert.deepEqual(directory.unrecordedRuns(), []);
});

test("a start that was on its way yet is ended, and keeps what was asked for", async (t) => {
  const { directory, peer, answer } = await findSupervisor(t);
  directory.writeSpec(1, program("true"));

  const dropping = dropUnfinishedStarts(directory, answer, refuseWarning);
  const asked = await peer.take(types.stop);
  peer.answer(asked, types.stopped, new ByteWriter().u64(1n).finish());
  await dropping;

  assert.deepEqual(asked.payload, new ByteWriter().u64(1n).u32(9).u32(0).finish());
  assert.deepEqual(directory.readSpec(1), program("true"));
});

test("starts of a supervisor that is gone are dropped, of one that is silent are left", async (t) => {
  const { directory, answer } = await findSupervisor(t);
  directory.writeSpec(1, program("true"));

  const { supervisor } = answer;
  await dropUnfinishedStarts(directory, { kind: "silent", supervisor, why: "" }, refuseWarning);
  assert.deepEqual(directory.unrecordedRuns(), [1]);
  await dropUnfinishedStarts(directory, { kind: "gone" }, refuseWarning);

  assert.deepEqual(directory.unrecordedRuns(), []);
});

async function findSupervisor(t: TestContext) {
  const temporary = mkdtempDisposableSync("/tmp/al-");
  const socketPath = join(temporary.path, "s.sock");
  const peer = await FakeSupervisor.listen(socketPath, hello);
  const watcher = {
    runChanged: () => undefined,
    reconnected: () => undefined,
    initDied: () => undefined,
    lost: () => undefined,
    silent: () => undefined,
  };
  const address = {
    cellName: "web",
    hello,
    socketPath,
    watcher,
    refused: () => undefined,
    answerTimeoutMs: 20_000,
  };
  const finding = Supervisor.find(address, () => undefined);
  const state = new ByteWriter().i32(6).u64(6n).i32(7).u64(8n).u32(0).finish();
  peer.answer(await peer.take(types.state), types.stateIs, state);
  const answer = await finding;
  assert.ok(answer.kind === "answers");
  t.after(async () => {
    answer.supervisor.close();
    await peer.close();
    temporary.remove();
  });
  return { directory: new CellDirectory(temporary.path, 10), peer, answer };
}

function refuseWarning(message: string): never {
  throw new Error(message);
}
