import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { encodeCellFile, parseCellFile } from "./cell-file.ts";
import { AbandonedCell } from "./testing/abandoned-cell.ts";
import { assertNothingLeft, settledCensus } from "./testing/leak-oracle.ts";
import { skipWithoutKernel as skip, warmSetting } from "./testing/linux-setting.ts";
import { WatchedCell } from "./testing/watched-cell.ts";

/*
 * What a daemon finds when it starts: the record of a cell, its cgroups, a supervisor that answers;
 * each there or not, and what is done then. ADR 9 has the table.
 */

test("record, cgroups and supervisor: the cell goes on (fault 64)", { skip }, async () => {
  await using setting = await warmSetting();
  const cell = await AbandonedCell.create(setting);

  const adopted = await cell.adopt();

  assert.deepEqual([adopted?.failed, setting.warnings], [undefined, []]);
  const [run] = adopted?.runs ?? [];
  assert.deepEqual([run?.report.pid, run?.report.end], [cell.pid, undefined]);
  assert.ok(cell.isRunning);
});

test("record and cgroups: what lives is killed, the cell has failed, its run is lost (fault 64)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cell = await AbandonedCell.create(setting, new Set(["pid"]));
  await cell.loseSupervisor();
  assert.ok(cell.isRunning);

  const adopted = await cell.adopt();

  assert.equal(adopted?.failed, "supervisor lost");
  assert.equal(adopted?.runs[0]?.report.end?.reason, "lost");
  assert.equal(cell.isRunning, false);
  await adopted?.enclosure.end(0);
  await assertNothingLeft(setting, before);
});

test("record and supervisor: that is ended, the cell has failed (fault 64)", { skip }, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cell = await AbandonedCell.create(setting);
  cell.loseCgroups();
  assert.ok(cell.isRunning && !cell.hasCgroups);

  const adopted = await cell.adopt();

  assert.equal(adopted?.failed, "cgroup lost");
  assert.equal(cell.isRunning, false);
  await adopted?.enclosure.end(0);
  await assertNothingLeft(setting, before);
});

test("a record alone: the cell has failed, and can be freed (fault 64)", { skip }, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cell = await AbandonedCell.create(setting);
  cell.loseCgroups();
  await cell.loseSupervisor();

  const adopted = await cell.adopt();

  assert.equal(adopted?.failed, "supervisor lost");
  assert.equal(adopted?.runs[0]?.report.end?.reason, "lost");
  await adopted?.enclosure.end(0);
  await assertNothingLeft(setting, before);
});

test("a record of another boot alone: it is gone, and that is said (faults 16, 64)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await AbandonedCell.create(setting);
  cell.loseCgroups();
  await cell.loseSupervisor();
  const file = join(cell.directory, "cell.json");
  const record = { ...parseCellFile(readFileSync(file)), bootId: "another" };
  writeFileSync(file, encodeCellFile(record));

  assert.equal(await cell.adopt(), undefined);

  assert.deepEqual(setting.warnings, ['Cell "web" was lost at boot; its logs are kept']);
  assert.equal(existsSync(cell.directory), false);
  assert.equal(setting.logs.findByName(record.name, "main" as never, 1)?.cellId, cell.id);
});

test("a record of another boot where somebody listens: nothing is touched (faults 16, 64)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await AbandonedCell.create(setting);
  const file = join(cell.directory, "cell.json");
  const record = readFileSync(file);
  writeFileSync(file, encodeCellFile({ ...parseCellFile(record), bootId: "another" }));

  assert.equal(await cell.adopt(), undefined);

  assert.ok(cell.isRunning);
  assert.match(setting.warnings.join(), /of another boot, and somebody listens .* unmanaged/);
  writeFileSync(file, record);
});

test("an intent, cgroups and a supervisor: all is undone (fault 64)", { skip }, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cell = await AbandonedCell.create(setting);
  setting.uncommit(cell.id);

  assert.equal(await cell.adopt(), undefined);

  assert.equal(cell.isRunning, false);
  await assertNothingLeft(setting, before);
});

test("cgroups and a supervisor alone: unmanaged, and runs on (fault 64)", { skip }, async () => {
  await using setting = await warmSetting();
  const cell = await AbandonedCell.create(setting);
  const record = readFileSync(join(cell.directory, "cell.json"), "utf8");
  cell.loseRecord();

  assert.equal(await cell.adopt(), undefined);

  assert.ok(cell.isRunning);
  const [told = "", stray = ""] = setting.warnings;
  assert.ok(told.includes(cell.directory) && told.includes(`process ${cell.supervisor}`), told);
  assert.match(told, /unmanaged, and runs on with 1 executables/);
  assert.match(stray, /^Cgroup .*\/c-web is of no cell that is known; it is left/);
  setting.plant(cell.id, "cell.json", record);
});

test("an intent and cgroups: what lives is killed, and all is undone (fault 64)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cell = await AbandonedCell.create(setting, new Set(["pid"]));
  setting.uncommit(cell.id);
  await cell.loseSupervisor();
  assert.ok(cell.isRunning);

  assert.equal(await cell.adopt(), undefined);

  assert.equal(cell.isRunning, false);
  await assertNothingLeft(setting, before);
});

test("cgroups alone: they are left, and that is said (fault 64)", { skip }, async () => {
  await using setting = await warmSetting();
  const cell = await AbandonedCell.create(setting, new Set(["pid"]));
  const record = readFileSync(join(cell.directory, "cell.json"), "utf8");
  await cell.loseSupervisor();
  cell.loseRecord();

  assert.equal(await cell.adopt(), undefined);

  assert.ok(cell.isRunning && cell.hasCgroups);
  assert.match(setting.warnings.join(), /no supervisor listens .*Cgroup .*\/c-web is of no cell/);
  setting.plant(cell.id, "cell.json", record);
});

test("a supervisor alone, that holds nothing: it is ended (fault 64)", { skip }, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web");
  process.kill(setting.initOf("web"), "SIGKILL");
  await cell.failed();
  await setting.restart();
  setting.removeCgroups("web");
  rmSync(join(setting.runtimeDir, "cells", cell.enclosure.id, "cell.json"));

  assert.deepEqual(await setting.host.adopt(), []);

  assert.match(setting.warnings.join(), /its supervisor held nothing, and was ended/);
  assert.deepEqual(setting.supervisors, []);
});

test("an intent alone: it is dropped (fault 64)", { skip }, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cell = await AbandonedCell.create(setting);
  cell.loseCgroups();
  await cell.loseSupervisor();
  setting.uncommit(cell.id);

  assert.equal(await cell.adopt(), undefined);

  assert.deepEqual(readdirSync(join(setting.runtimeDir, "cells")), []);
  await assertNothingLeft(setting, before);
});
