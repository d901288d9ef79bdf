import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Enclosure, RequestMark } from "@aurae/domain/cells";
import { CellDirectory } from "../cell-directory.ts";
import {
  type LinuxSetting,
  skipWithoutKernel as skip,
  warmSetting,
} from "../testing/linux-setting.ts";
import { cellName, executableName, program, WatchedCell } from "../testing/watched-cell.ts";

/** The host is asked, and nothing is noted: as when the daemon dies before it can. */

test("what was done for a request is answered by the next daemon (faults 1, 2, 3)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await allocate(setting, "web", markOf(1));
  const started = await cell.enclosure.start(1, program("sleep 1000"), markOf(2));
  await cell.enclosure.stop(1, 0, markOf(3));
  const { end } = await cell.closed(1);

  await setting.restart();
  const [adopted] = await setting.host.adopt();

  assert.deepEqual(answerTo(setting, 1), { kind: "allocated" });
  assert.deepEqual(answerTo(setting, 2), { kind: "started", run: 1, ...started });
  assert.deepEqual(answerTo(setting, 3), { kind: "stopped", end });
  assert.deepEqual(adopted?.runs[0]?.spec, program("sleep 1000"));
  await adopted?.enclosure.end(0);
});

test("what was undone is not answered (faults 1, 2)", { skip }, async () => {
  await using setting = await warmSetting();
  const undone = await allocate(setting, "undone", markOf(1));
  const cell = await allocate(setting, "web", markOf(2));
  const directory = new CellDirectory(join(setting.runtimeDir, "cells", cell.enclosure.id), 10);
  directory.writeSpec(1, { ...program("true"), mark: markOf(3) });
  setting.uncommit(undone.enclosure.id);

  await setting.restart();
  const [adopted, ...others] = await setting.host.adopt();

  assert.deepEqual(
    [others, answerTo(setting, 1), answerTo(setting, 3)],
    [[], undefined, undefined],
  );
  await adopted?.enclosure.end(0);
});

test("a stop that was under way is told of, for the run that it was about (fault 3)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await allocate(setting, "web");
  await cell.start(1, "trap '' TERM; sleep 1000");
  const asked = [markOf(1), markOf(2)].map((mark) => cell.enclosure.stop(1, 3_600_000, mark));

  await Promise.all([setting.restart(), ...asked.map((stop) => assert.rejects(stop))]);
  const [adopted] = await setting.host.adopt();

  const graceMs = 3_600_000;
  assert.deepEqual(adopted?.runs[0]?.stops, [
    { graceMs, mark: markOf(1) },
    { graceMs, mark: markOf(2) },
  ]);
  assert.equal(answerTo(setting, 1), undefined);
  await adopted.enclosure.end(0);
});

test("a cell that was to be freed is freed with its children, and that is answered (fault 4)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const parent = await allocate(setting, "team");
  await allocate(setting, "team/web", undefined, parent.enclosure);
  const other = await allocate(setting, "teams");
  parent.enclosure.markEnding(0, markOf(1));
  parent.enclosure.markEnding(0, markOf(2));
  other.enclosure.markEnding(0, markOf(3));
  other.enclosure.unmarkEnding();

  await setting.restart();
  const [adopted, ...others] = await setting.host.adopt();

  assert.deepEqual([adopted?.name, others], ["teams", []]);
  assert.deepEqual(
    [1, 2, 3].map((request) => answerTo(setting, request)?.kind),
    ["freed", "freed", undefined],
  );
  await adopted?.enclosure.end(0);
});

test("a run that is not kept any more leaves no mark behind (fault 3)", { skip }, async () => {
  await using setting = await warmSetting({ keptRuns: 1 });
  const cell = await allocate(setting, "web");
  for (const run of [1, 2]) {
    const name = executableName(`run-${run}`);
    await cell.enclosure.start(run, program("sleep 1000", { name }));
    await cell.enclosure.stop(run, 0, markOf(run));
    await cell.closed(run);
  }

  const directory = new CellDirectory(join(setting.runtimeDir, "cells", cell.enclosure.id), 1);
  assert.deepEqual(directory.stoppedRuns(), [2]);
  await cell.enclosure.end(0);
});

async function allocate(
  setting: LinuxSetting,
  name: string,
  mark?: RequestMark,
  parent?: Enclosure,
): Promise<WatchedCell> {
  const spec = { limits: { pidsMax: 64 }, shared: new Set<never>(), labels: new Map() };
  const request = { name: cellName(name), spec, parent, mark };
  return WatchedCell.watch(request.name, await setting.host.enclose(request));
}

function answerTo(setting: LinuxSetting, request: number) {
  return setting.host.requests.recall(markOf(request).key)?.answer;
}

function markOf(request: number): RequestMark {
  const hash = String(request).padStart(32, "0");
  return { key: hash, digest: hash };
}
