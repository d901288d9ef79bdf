import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate } from "@aurae/domain/observe";
import { skipWithoutKernel as skip, warmSetting } from "./testing/linux-setting.ts";
import { firstLine, textOf, textOfEntry, writtenBy } from "./testing/log-text.ts";
import { WatchedCell } from "./testing/watched-cell.ts";

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

test("stop() asked twice is answered twice, and the shorter grace holds", { skip }, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web");
  await cell.start(1, "trap '' TERM; echo ready; sleep 1000");
  assert.equal(await firstLine(setting, cell, 1), "ready");

  await Promise.all([cell.enclosure.stop(1, 60_000), cell.enclosure.stop(1, 0)]);

  assert.equal((await cell.closed(1)).end?.signal, 9);
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
  const entries = await Array.fromAsync(setting.logs.read(key, query, writtenBy(complete), signal));
  await closed;
  await cell.enclosure.end(0);

  assert.deepEqual(entries.map(textOfEntry), ["one", "two", "three"]);
  // Each channel is in order; between them nobody knows it.
  const lines = new Set(await textOf(setting, cell, 1));
  assert.deepEqual(lines, new Set(["one", "two", "three", "err"]));
});
