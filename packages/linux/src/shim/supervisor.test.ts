import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempDisposableSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Failure } from "@aurae/domain/errors";
import { FakeSupervisor } from "../testing/fake-supervisor.ts";
import { ByteWriter } from "./bytes.ts";
import { ChannelClosed, Refused } from "./channel.ts";
import { encodeFrame, frameTypes as types } from "./frames.ts";
import { openSocket } from "./launcher.ts";
import type { Hello, RunNews, SupervisorState } from "./messages.ts";
import { Supervisor, type SupervisorAddress } from "./supervisor.ts";

const hello: Hello = { version: 1, cellId: "0123456789abcdef", bootId: "boot", build: "test" };
const start = {
  ...{ run: 1, executable: "main", argv: ["true"], environment: [] },
  ...{ workingDirectory: "/", uid: 0, gid: 0 },
};
const enclose = {
  ...{ namespaces: 0, hostName: "web", cellDir: "/c", logDir: "/l", parentInit: undefined },
  ...{ segmentBytes: 1, segmentsKept: 1, readOnlyPaths: [], hierarchies: [] },
};

test("find() learns what runs, and start() what started", async (t) => {
  await using setting = await connect(t);

  const starting = setting.supervisor.start(start);
  const asked = await setting.peer.take(types.start);
  setting.peer.answer(asked, types.started, started(1, 42));

  assert.deepEqual(await starting, { run: 1, pid: 42, startedAtNs: 9n });
  assert.deepEqual(setting.state, {
    supervisor: { pid: 6, start: 6n },
    init: { pid: 7, start: 8n },
    runs: [],
    refused: 0, // It was made before supervisors counted.
  });
});

test("find() takes only a socket where nobody listens for a supervisor that is gone (fault 67)", async (t) => {
  const path = socketPath(t);
  const address = addressOf(path, []);
  assert.deepEqual(await Supervisor.find(address, assert.ifError), { kind: "gone" });

  await leaveSocket(path); // ECONNREFUSED.
  assert.deepEqual(await Supervisor.find(address, assert.ifError), { kind: "gone" });
  unlinkSync(path);

  for (const plant of [() => writeFileSync(path, ""), () => symlinkSync("/dev/null", path)]) {
    plant();
    const found = await Supervisor.find(address, assert.ifError);
    assert.ok(found.kind === "silent");
    assert.match(found.why, /s\.sock is no socket of ours: .*, then remove it/);
    unlinkSync(path);
  }
});

/** A socket whose owner has died. */
async function leaveSocket(path: string): Promise<void> {
  const server = createServer();
  await once(server.listen(`${path}.new`), "listening");
  renameSync(`${path}.new`, path);
  await once(server.close(), "close");
}

test("requests are answered in whatever order", async (t) => {
  await using setting = await connect(t);
  const first = setting.supervisor.start(start);
  const second = setting.supervisor.start({ ...start, run: 2 });
  const [one, two] = [await setting.peer.take(types.start), await setting.peer.take(types.start)];

  setting.peer.answer(two, types.started, started(2, 52));
  setting.peer.answer(one, types.started, started(1, 51));

  assert.deepEqual([(await first).pid, (await second).pid], [51, 52]);
});

test("a FAILED is the refusal of its request alone", async (t) => {
  await using setting = await connect(t);
  const starting = setting.supervisor.start(start);
  const asked = await setting.peer.take(types.start);

  setting.peer.answer(asked, types.failed, new ByteWriter().i32(2).bytes("exec").finish());

  await assert.rejects(starting, (cause) => {
    assert.ok(cause instanceof Refused);
    assert.deepEqual(cause.failed, { errno: 2, step: "exec" });
    return true;
  });
  assert.equal(setting.supervisor.isLost, false);
});

test("a connection that is cut is made again, and stop() asks again there", async (t) => {
  await using setting = await connect(t);
  const stopping = setting.supervisor.stop(1, 15, 1000);
  await setting.peer.take(types.stop);

  setting.peer.cut();
  setting.peer.answer(await setting.peer.take(types.state), types.stateIs, state());
  const again = await setting.peer.take(types.stop);
  setting.peer.answer(again, types.stopped, new ByteWriter().u64(1n).finish());

  await stopping;
  assert.equal(setting.peer.connections, 2);
  assert.deepEqual(setting.heard, ["reconnected"]);
});

for (const [what, cause] of [
  ["closes each connection", /it has closed the connection/],
  ["is of another version", /it speaks version 2 of the protocol, not 1/],
  ["says what nobody understands", /a frame claims 4294967295 bytes/],
  ["never says anything", /it has said nothing for 50 ms/],
] as const) {
  test(`a supervisor that ${what} is silent, not lost, and can be asked again`, async (t) => {
    await using setting = await connect(t, 50);
    setting.peer.misbehave(what);

    setting.peer.cut();
    await assert.rejects(setting.supervisor.stop(1, 15, 1000), ChannelClosed);

    assert.match(setting.heard.join(), /^silent: /);
    assert.match(setting.heard.join(), cause);
    setting.peer.misbehave(undefined);
    const stopping = setting.supervisor.stop(1, 15, 1000);
    setting.peer.answer(await setting.peer.take(types.state), types.stateIs, state());
    const asked = await setting.peer.take(types.stop);
    setting.peer.answer(asked, types.stopped, new ByteWriter().u64(1n).finish());
    await stopping;
    assert.deepEqual(setting.heard.slice(1), ["reconnected"]);
  });
}

test("a supervisor that hangs up at each request is not asked for ever", async (t) => {
  await using setting = await connect(t);
  const refused = assert.rejects(setting.supervisor.stop(1, 15, 1000), ChannelClosed);
  for (let connections = 1; connections <= 3; connections++) {
    await setting.peer.take(types.stop);
    setting.peer.cut();
    setting.peer.answer(await setting.peer.take(types.state), types.stateIs, state());
  }

  await refused;
});

test("start() does not ask again: nobody knows whether it runs", async (t) => {
  await using setting = await connect(t);
  const starting = setting.supervisor.start(start);
  await setting.peer.take(types.start);

  setting.peer.cut();

  await assert.rejects(starting, ChannelClosed);
  setting.peer.answer(await setting.peer.take(types.state), types.stateIs, state());
  await setting.supervisor.settle();
});

test("a supervisor that does not answer again is lost, told once", async (t) => {
  await using setting = await connect(t);
  const stopping = setting.supervisor.stop(1, 15, 1000);
  await setting.peer.take(types.stop);

  await setting.peer.close();

  await assert.rejects(stopping, ChannelClosed);
  assert.deepEqual(setting.heard, ["lost"]);
  assert.equal(setting.supervisor.isLost, true);
});

for (const [what, bytes] of [
  ["is of no known type", Buffer.alloc(10)],
  ["claims 4 GiB", Buffer.from("ffffffff0f0000000000", "hex")],
  ["answers what nobody asked", frame(types.done, 99, Buffer.alloc(0))],
  ["answers with another type", frame(types.done, 2, Buffer.alloc(0))],
  ["has bytes left over", frame(types.started, 2, Buffer.concat([started(1, 1), Buffer.alloc(1)]))],
  ["is an event that is cut", frame(types.run, 0, Buffer.alloc(3))],
  ["is no event", frame(types.state, 0, Buffer.alloc(0))],
] as const) {
  test(`a frame that ${what} closes the connection (fault 48)`, async (t) => {
    await using setting = await connect(t);
    const starting = setting.supervisor.start(start);
    await setting.peer.take(types.start);

    setting.peer.send(bytes);

    await assert.rejects(starting, ChannelClosed);
    setting.peer.answer(await setting.peer.take(types.state), types.stateIs, state());
    await setting.supervisor.settle();
    assert.deepEqual(setting.heard, ["reconnected"]);
  });
}

test("enclose() refuses a supervisor of another version (fault 109)", async (t) => {
  const path = socketPath(t);
  await using _peer = await FakeSupervisor.listen(path, { ...hello, version: 2 });

  await assert.rejects(
    Supervisor.enclose(await openSocket(path), addressOf(path, []), enclose),
    (cause) => {
      assert.ok(cause instanceof Failure);
      assert.equal(cause.reason, "SHIM_UNUSABLE");
      assert.match(cause.message, /version 2 of the protocol, not 1/);
      return true;
    },
  );
});

interface Setting extends AsyncDisposable {
  readonly peer: FakeSupervisor;
  readonly supervisor: Supervisor;
  readonly state: SupervisorState;
  /** What the watcher was told. */
  readonly heard: readonly string[];
}

async function connect(t: TestContext, answerTimeoutMs = 20_000): Promise<Setting> {
  const path = socketPath(t);
  const peer = await FakeSupervisor.listen(path, hello);
  const heard: string[] = [];
  const address = { ...addressOf(path, heard), answerTimeoutMs };
  const finding = Supervisor.find(address, () => undefined);
  peer.answer(await peer.take(types.state), types.stateIs, state());
  const found = await finding;
  assert.ok(found.kind === "answers");
  const { supervisor, state: known } = found;
  async function dispose(): Promise<void> {
    supervisor.close();
    await peer.close();
  }
  return { peer, supervisor, state: known, heard, [Symbol.asyncDispose]: dispose };
}

function addressOf(socketPath: string, heard: string[]): SupervisorAddress {
  const watcher = {
    runChanged: ({ record }: RunNews) => heard.push(`run ${record.run}`),
    reconnected: () => heard.push("reconnected"),
    initDied: () => heard.push("init died"),
    lost: () => heard.push("lost"),
    silent: (why: string) => heard.push(`silent: ${why}`),
  };
  return {
    cellName: "web",
    hello,
    socketPath,
    watcher,
    refused: () => undefined,
    answerTimeoutMs: 20_000,
  };
}

function socketPath(t: TestContext): string {
  const directory = mkdtempDisposableSync("/tmp/al-");
  t.after(() => directory.remove());
  return join(directory.path, "s.sock");
}

function started(run: number, pid: number): Buffer {
  return new ByteWriter().u64(BigInt(run)).i32(pid).u64(8n).i64(9n).finish();
}

function state(): Buffer {
  return new ByteWriter().i32(6).u64(6n).i32(7).u64(8n).u32(0).finish();
}

function frame(type: number, request: number, payload: Buffer): Buffer {
  return encodeFrame({ type: type as never, request, payload });
}
