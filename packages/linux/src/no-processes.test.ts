import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { hasReason } from "./testing/has-reason.ts";
import { assertNothingLeft, settledCensus } from "./testing/leak-oracle.ts";
import {
  type LinuxSetting,
  skipWithoutKernel as skip,
  warmSetting,
} from "./testing/linux-setting.ts";
import { executableName, WatchedCell } from "./testing/watched-cell.ts";

/** A node that has no process left for the launcher, a supervisor or an init: EAGAIN of clone3(2). */

/** Let no process be added to those of the launcher and the supervisors, until it is undone. */
function takeProcesses(setting: LinuxSetting): Disposable {
  const path = setting.shimFile("pids.max");
  writeFileSync(path, "0");
  return { [Symbol.dispose]: () => writeFileSync(path, "max") };
}

test("enclose() is refused when no supervisor can be made, leaves nothing, and recovers (fault 28)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  {
    using _none = takeProcesses(setting);
    // The launcher keeps the last connection that it refused.
    await assert.rejects(WatchedCell.allocate(setting.host, "web"));
  }
  const before = await settledCensus(setting);
  {
    using _none = takeProcesses(setting);

    const refused = WatchedCell.allocate(setting.host, "web");

    await assert.rejects(refused, hasReason("NODE_LIMIT_REACHED"));
    await assertNothingLeft(setting, before);
  }
  const cell = await WatchedCell.allocate(setting.host, "web");
  await cell.enclosure.end(0);
  await assertNothingLeft(setting, before);
});

test("start() is refused when a supervisor cannot clone; stop() and end() work (fault 28)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cell = await WatchedCell.allocate(setting.host, "web");
  await cell.start(1, "sleep 1000");
  {
    using _none = takeProcesses(setting);

    const refused = cell.start(2, "true", { name: executableName("other") });

    await assert.rejects(refused, hasReason("CELL_LIMIT_REACHED"));
    await cell.enclosure.stop(1, 5000);
  }
  await cell.start(3, "true");
  await cell.closed(3);
  using _none = takeProcesses(setting);
  await cell.enclosure.end(0);
  await assertNothingLeft(setting, before);
});

test("enclose() is refused when the cell has no process for its init (fault 28)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);

  const refused = WatchedCell.allocate(setting.host, "web", { limits: { pidsMax: 1 } });

  await assert.rejects(refused, hasReason("CELL_LIMIT_REACHED"));
  await assertNothingLeft(setting, before);
});
