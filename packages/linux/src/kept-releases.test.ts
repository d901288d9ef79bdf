import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, existsSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { AdoptedCell } from "@aurae/domain/cells";
import { readBootId } from "./boot-id.ts";
import { FrameReader, frameTypes } from "./shim/frames.ts";
import { openSocket } from "./shim/launcher.ts";
import { encodeHello, protocolVersion, readHello } from "./shim/messages.ts";
import { AbandonedCell } from "./testing/abandoned-cell.ts";
import {
  expectedOf,
  keptBootId,
  keptReleases,
  keptShim,
  layState,
  summarize,
} from "./testing/kept-release.ts";
import { assertNothingLeft, settledCensus } from "./testing/leak-oracle.ts";
import { type LinuxSetting, skipWithoutKernel, warmSetting } from "./testing/linux-setting.ts";
import { textOf } from "./testing/log-text.ts";
import { WatchedCell } from "./testing/watched-cell.ts";

/** Of a hundred in the long form. */
const cellCount = 8;

for (const version of keptReleases) {
  const shimDir = keptShim(version);
  const noShim = !existsSync(shimDir) && "no shim was kept for this kind of machine";
  const skip = skipWithoutKernel || noShim;

  test(`the state that ${version} wrote is read as it was then, and can be freed (faults 65, 108)`, {
    skip: skipWithoutKernel,
  }, async () => {
    await using setting = await warmSetting({ bootId: keptBootId });
    const before = await settledCensus(setting);
    await layState(setting, version);

    const adopted = await setting.host.adopt();

    assert.deepEqual(summarize(adopted), expectedOf(version));
    const [team, web] = adopted.map(({ name, enclosure }) => WatchedCell.watch(name, enclosure));
    assert.ok(team !== undefined && web !== undefined);
    assert.deepEqual(await textOf(setting, web, 4), ["ready"]);
    await web.enclosure.end(0);
    await team.enclosure.end(0);
    await assertNothingLeft(setting, before);
  });

  test(`cells of the shim of ${version} are taken over, and go on as they were (faults 108, 109)`, {
    skip,
  }, async () => {
    await using setting = await warmSetting({ shimDir });
    using go = openPipe(join(setting.directory, "go"));
    const before = await settledCensus(setting);
    const started = await startAll(setting, go.path);
    const supervisors = setting.supervisors;

    await setting.restart();
    const adopted = await setting.host.adopt();
    // Each of them takes one line.
    go.write("now\n".repeat(cellCount));

    assert.deepEqual(setting.warnings, []);
    assert.deepEqual(setting.supervisors, supervisors);
    assert.deepEqual(
      adopted.map(runningPids),
      started.map((pid) => [pid]),
    );
    const cells = adopted.map(({ name, enclosure }) => WatchedCell.watch(name, enclosure));
    await Promise.all(cells.map((cell) => finish(setting, cell)));
    await assertNothingLeft(setting, before);
  });

  test(`a supervisor of ${version} tells a newer daemon who it is, and its cell goes on (fault 109)`, {
    skip,
  }, async () => {
    await using setting = await warmSetting({ shimDir });
    const cell = await AbandonedCell.create(setting);
    const socket = await openSocket(join(cell.directory, "s.sock"));

    const newer = { version: 9, cellId: cell.id, bootId: readBootId(), build: "newer" };
    socket.write(encodeHello(newer));
    const frames = new FrameReader().push(Buffer.concat(await socket.toArray()));

    assert.deepEqual(
      [...frames].map(({ type, payload }) => [type, readHello(payload).version]),
      [[frameTypes.hello, protocolVersion]],
    );
    assert.ok(cell.isRunning);
    assert.equal((await cell.adopt())?.runs[0]?.report.pid, cell.pid);
  });
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

/** Cells that have said a word, and wait for one before they say another and end with 7. */
async function startAll(setting: LinuxSetting, go: string): Promise<readonly number[]> {
  const pids = [];
  for (let index = 0; index < cellCount; index++) {
    const cell = await WatchedCell.allocate(setting.host, `cell-${index}`);
    const said = `echo before; dd bs=4 count=1 < ${go} 2> /dev/null; echo after; exit 7`;
    pids.push((await cell.start(1, said)).pid);
  }
  return pids;
}

/** Its log has no gap, its end is told, a new run and the end of the cell work. */
async function finish(setting: LinuxSetting, cell: WatchedCell): Promise<void> {
  const { end } = await cell.closed(1);
  assert.deepEqual([end?.reason, end?.exitCode], ["exited", 7]);
  assert.deepEqual(await textOf(setting, cell, 1), ["before", "now", "after"]);
  await cell.start(2, "exec sleep 1000");
  await cell.enclosure.stop(2, 10_000);
  assert.equal((await cell.closed(2)).end?.reason, "aborted");
  await cell.enclosure.end(0);
}

function runningPids({ failed, runs }: AdoptedCell): readonly number[] {
  assert.equal(failed, undefined);
  return runs.filter(({ report }) => report.end === undefined).map(({ report }) => report.pid);
}
