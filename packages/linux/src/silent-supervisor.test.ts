import assert from "node:assert/strict";
import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ByteWriter } from "./shim/bytes.ts";
import { frameTypes } from "./shim/frames.ts";
import { FakeSupervisor } from "./testing/fake-supervisor.ts";
import { hasReason } from "./testing/has-reason.ts";
import { assertNothingLeft, settledCensus } from "./testing/leak-oracle.ts";
import {
  type LinuxSetting,
  skipWithoutKernel as skip,
  warmSetting,
} from "./testing/linux-setting.ts";
import { firstLine } from "./testing/log-text.ts";
import { WatchedCell } from "./testing/watched-cell.ts";

test("adopt() touches nothing in a cell whose supervisor is of another version (fault 109)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cell = await WatchedCell.allocate(setting.host, "web");
  const { pid } = await cell.start(1, "echo ready; sleep 1000");
  await firstLine(setting, cell, 1);
  const socket = new HiddenSocket(setting, cell.enclosure.id);
  {
    await using _fake = await FakeSupervisor.listen(socket.path, { ...hello, version: 2 });
    await setting.restart();
    const [adopted] = await setting.host.adopt();

    const why = "its supervisor does not answer: it speaks version 2 of the protocol, not 1";
    assert.equal(adopted?.failed, why);
    assert.ok(adopted !== undefined);
    assert.match(setting.warnings.join(), /"web": it speaks version 2 .*; the cell runs on/);
    assert.equal(adopted?.runs[0]?.report.end, undefined);
    process.kill(pid, 0);
    const watched = WatchedCell.watch(adopted.name, adopted.enclosure);
    await assert.rejects(watched.start(2, "true"), hasReason("CELL_FAILED"));
    socket.unhide();
    await watched.enclosure.end(0);
    assert.equal((await watched.closed(1)).end?.reason, "aborted");
  }
  await assertNothingLeft(setting, before);
});

test("end() kills by cgroup what a supervisor that goes on being silent does not end", {
  skip,
}, async () => {
  await using setting = await warmSetting({ answerTimeoutMs: 200 });
  const cell = await WatchedCell.allocate(setting.host, "web");
  const { pid } = await cell.start(1, "echo ready; sleep 1000");
  await firstLine(setting, cell, 1);
  const socket = new HiddenSocket(setting, cell.enclosure.id);
  await using fake = await FakeSupervisor.listen(socket.path, hello);
  fake.misbehave("says what nobody understands");
  await setting.restart();
  const [adopted] = await setting.host.adopt();
  assert.ok(adopted !== undefined);
  assert.match(adopted.failed ?? "", /^its supervisor does not answer: a frame claims/);
  const watched = WatchedCell.watch(adopted.name, adopted.enclosure);
  await assert.rejects(watched.enclosure.stop(1, 0), hasReason("CELL_FAILED"));

  await watched.enclosure.end(0);

  // Lost, or what the supervisor wrote down before we looked.
  assert.ok((await watched.closed(1)).end !== undefined);
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  assert.deepEqual(readdirSync(join(setting.runtimeDir, "cells")), []);
});

test("adopt() takes over the other cells when supervisors hang, in the time of one of them", {
  skip,
}, async () => {
  await using setting = await warmSetting({ answerTimeoutMs: 2000 });
  const cells = [];
  for (const name of ["a", "b", "c"]) cells.push(await WatchedCell.allocate(setting.host, name));
  const sockets = cells.slice(0, 2).map(({ enclosure }) => new HiddenSocket(setting, enclosure.id));
  const fakes = sockets.map(({ path }) => FakeSupervisor.listen(path, hello));
  for (const fake of await Promise.all(fakes)) fake.misbehave("never says anything");
  await setting.restart();

  const before = performance.now();
  const adopted = await setting.host.adopt();
  const tookMs = performance.now() - before;

  const silent = "its supervisor does not answer: it has said nothing for 2000 ms";
  assert.deepEqual(
    adopted.map(({ name, failed }) => [name, failed]),
    [
      ["a", silent],
      ["b", silent],
      ["c", undefined],
    ],
  );
  assert.ok(tookMs < 3900, `${tookMs} ms`);
  for (const fake of await Promise.all(fakes)) await fake.close();
  for (const socket of sockets) socket.unhide();
});

test("adopt() does not wait for ever for a cell that was being freed, and shows it", {
  skip,
}, async () => {
  await using setting = await warmSetting({ endTimeoutMs: 200 });
  const before = await settledCensus(setting);
  const { enclosure } = await WatchedCell.allocate(setting.host, "web");
  setting.plant(enclosure.id, "ending", "0");
  const socket = new HiddenSocket(setting, enclosure.id);
  const fake = await FakeSupervisor.listen(socket.path, hello);
  await setting.restart();

  const adopting = setting.host.adopt();
  fake.answer(await fake.take(frameTypes.state), frameTypes.stateIs, emptyState());
  await fake.take(frameTypes.end);
  const [adopted] = await adopting;

  assert.equal(adopted?.failed, "it is being freed, and something in it does not end");
  await fake.close();
  socket.unhide();
  await adopted.enclosure.end(0);
  await assertNothingLeft(setting, before);
});

const hello = { version: 1, cellId: "0123456789abcdef", bootId: "boot", build: "test" };

/** The socket of a supervisor that lives on, out of the way, so that another can be put in its place. */
class HiddenSocket {
  readonly path: string;

  constructor({ runtimeDir }: LinuxSetting, cellId: string) {
    this.path = join(runtimeDir, "cells", cellId, "s.sock");
    renameSync(this.path, `${this.path}.hidden`);
  }

  unhide(): void {
    renameSync(`${this.path}.hidden`, this.path);
  }
}

function emptyState(): Buffer {
  return new ByteWriter().i32(6).u64(6n).i32(7).u64(8n).u32(0).finish();
}
