import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate } from "@aurae/domain/observe";
import { hasReason } from "./testing/has-reason.ts";
import { assertNothingLeft, nextTurn, settledCensus } from "./testing/leak-oracle.ts";
import { skipWithoutKernel as skip, warmSetting } from "./testing/linux-setting.ts";
import { firstLine, textOf, textOfEntry } from "./testing/log-text.ts";
import { executableName, WatchedCell } from "./testing/watched-cell.ts";

test("a run that takes more memory than its cell has ends by oom (fault 31)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const limits = { memoryMaxBytes: 16n * 1024n * 1024n, memorySwapMaxBytes: 0n };
  const cell = await WatchedCell.allocate(setting.host, "hog", { limits });

  await cell.start(1, "head -c 64m /dev/zero | tail -c 64m");
  const { end } = await cell.closed(1);

  assert.equal(end?.reason, "oom");
  assert.ok((end?.usage.oomKills ?? 0n) > 0n);
  assert.equal(cell.why, undefined);
  await cell.enclosure.end(0);
});

test("a fork bomb ends at the limit of its cell, and end() ends it (fault 36)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cell = await WatchedCell.allocate(setting.host, "bomb", { limits: { pidsMax: 12 } });

  await cell.start(1, "f() { f | f & }; f; sleep 1000");
  await cell.enclosure.end(0);

  // The shell may have ended before: it gives up when it cannot fork.
  assert.ok((await cell.closed(1)).end !== undefined);
  await assertNothingLeft(setting, before);
});

for (const [what, command, more, reason] of [
  ["is not there", "/nonexistent", {}, "COMMAND_NOT_FOUND"],
  ["is below a file", "/etc/passwd/x", {}, "COMMAND_NOT_FOUND"],
  ["is a directory", "/tmp", {}, "COMMAND_NOT_EXECUTABLE"],
  ["may not be executed", "/etc/passwd", {}, "COMMAND_NOT_EXECUTABLE"],
  ["has no such directory", "/bin/true", { workingDirectory: "/no" }, "WORKDIR_UNUSABLE"],
  ["has too many arguments", "/bin/true", { args: tooMany() }, "ARGUMENTS_TOO_LONG"],
] as const) {
  test(`start() refuses a command that ${what}, and the cell is as before (fault 42)`, {
    skip,
  }, async () => {
    await using setting = await warmSetting();
    const cell = await WatchedCell.allocate(setting.host, "web");
    const before = await settledCensus(setting);

    await assert.rejects(cell.start(1, command, { ...more, noShell: true }), hasReason(reason));

    await assertNothingLeft(setting, before);
    await cell.start(2, "exit 5");
    assert.equal((await cell.closed(2)).end?.exitCode, 5);
    await cell.enclosure.end(0);
  });
}

test("a run sees exactly the environment, directory and identity that were asked for", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "team-web");
  const more = { env: new Map([["A", "b c"]]), workingDirectory: "/usr", uid: 65_534, gid: 65_534 };

  await cell.start(1, "env | sort; pwd; id -u; id -G; hostname; ls /proc/self/fd | wc -l", more);
  await cell.closed(1);

  const lines = await textOf(setting, cell, 1);
  assert.ok(lines.includes("A=b c") && lines.includes("HOME=/"));
  // 0, 1, 2, and the one that ls has on the directory.
  assert.deepEqual(lines.slice(-5), ["/usr", "65534", "65534", "team-web", "4"]);
  await cell.enclosure.end(0);
});

test("stop() ends the whole tree of a run that ignores SIGTERM (fault 38)", { skip }, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web");
  await cell.start(1, "trap '' TERM; (setsid sleep 1000 &); echo ready; sleep 1000");
  assert.equal(await firstLine(setting, cell, 1), "ready");

  await cell.enclosure.stop(1, 50);

  const { end } = await cell.closed(1);
  assert.deepEqual([end?.reason, end?.signal], ["aborted", 9]);
  await nextTurn();
  assert.equal(setting.readLimit("web/x-main", "pids.current"), undefined);
  await cell.enclosure.end(0);
});

test("stop() asked twice is answered twice, and the shorter grace holds", { skip }, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web");
  await cell.start(1, "trap '' TERM; echo ready; sleep 1000");
  assert.equal(await firstLine(setting, cell, 1), "ready");

  await Promise.all([cell.enclosure.stop(1, 60_000), cell.enclosure.stop(1, 0)]);

  assert.equal((await cell.closed(1)).end?.signal, 9);
  await cell.enclosure.end(0);
});

test("many short runs each tell how they ended, and leave nothing (fault 44)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web", { limits: { pidsMax: 500 } });
  const before = await settledCensus(setting);

  const codes = Array.from({ length: 60 }, (_, at) => at);
  await Promise.all(
    codes.map((at) => cell.start(at + 1, `exit ${at}`, { name: executableName(`e${at}`) })),
  );
  const ends = await Promise.all(codes.map((at) => cell.closed(at + 1)));

  assert.deepEqual(
    ends.map(({ end }) => end?.exitCode),
    codes,
  );
  const after = await settledCensus(setting);
  assert.deepEqual([after.cgroups, after.processes], [before.cgroups, before.processes]);
  await cell.enclosure.end(0);
});

test("a log is followed while it is written, and read again after the cell is gone", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web");
  const { pid } = await cell.start(1, "echo one; echo err >&2; echo two; printf three");
  const complete = new Gate();
  const closed = cell.closed(1).then(() => complete.open());

  const key = setting.logs.findByPid(pid);
  assert.ok(key !== undefined);
  const query = {
    channels: new Set(["stdout"] as const),
    follow: true,
    sinceNs: 0n,
    tail: undefined,
  };
  const { signal } = new AbortController();
  const entries = await Array.fromAsync(setting.logs.read(key, query, complete, signal));
  await closed;
  await cell.enclosure.end(0);

  assert.deepEqual(entries.map(textOfEntry), ["one", "two", "three"]);
  // Each channel is in order; between them nobody knows it.
  const lines = new Set(await textOf(setting, cell, 1));
  assert.deepEqual(lines, new Set(["one", "two", "three", "err"]));
});

function tooMany(): readonly string[] {
  return Array.from({ length: 200 }, () => "x".repeat(131_072));
}
