import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { assertNothingLeft, settledCensus } from "./testing/leak-oracle.ts";
import { skipWithoutKernel as skip, warmSetting } from "./testing/linux-setting.ts";
import { firstLine, linesOf, textOf } from "./testing/log-text.ts";
import { executableName, WatchedCell } from "./testing/watched-cell.ts";

for (const [where, shared] of [
  ["with pids of its own", new Set<never>()],
  ["with the pids of the host", new Set(["pid"] as const)],
] as const) {
  test(`a supervisor that is killed leaves logs and earlier ends, and no other cell notices, ${where} (fault 8)`, {
    skip,
  }, async () => {
    await using setting = await warmSetting();
    const before = await settledCensus(setting);
    const cell = await WatchedCell.allocate(setting.host, "web", { shared });
    const [supervisor = 0] = setting.supervisors;
    const other = await WatchedCell.allocate(setting.host, "other", { shared });
    await other.start(1, "trap 'exit 4' USR1; echo ready; while :; do sleep 1; done");
    assert.equal(await firstLine(setting, other, 1), "ready");
    await cell.start(1, "echo first; exit 3");
    await cell.closed(1);
    const { pid } = await cell.start(2, "seq 1000; sleep 1000 & exec sleep 1000");
    for await (const line of linesOf(setting, cell, 2)) if (line === "1000") break;
    const init = setting.initOf("web");

    process.kill(supervisor, "SIGKILL");

    assert.equal(await cell.failed(), "supervisor lost");
    const lost = await cell.closed(2);
    assert.deepEqual([lost.end?.reason, lost.pid], ["lost", pid]);
    for (const gone of [pid, init]) assert.equal(existsSync(`/proc/${gone}/exe`), false);
    assert.deepEqual(await textOf(setting, cell, 1), ["first"]);
    const numbers = Array.from({ length: 1000 }, (_, index) => `${index + 1}`);
    assert.deepEqual(await textOf(setting, cell, 2), numbers);
    await other.start(2, "exit 5", { name: executableName("quick") });
    assert.equal((await other.closed(2)).end?.exitCode, 5);
    assert.equal(other.why, undefined);

    // The next daemon finds the same.
    await setting.restart();
    const adopted = await setting.host.adopt();
    const ends = adopted.flatMap(({ runs }) => runs.map(({ report }) => report.end));
    assert.deepEqual(
      adopted.map(({ name, failed }) => [name, failed]),
      [
        ["other", undefined],
        ["web", "supervisor lost"],
      ],
    );
    assert.deepEqual(
      ends.map((end) => [end?.reason, end?.exitCode]),
      [
        [undefined, undefined],
        ["exited", 5],
        ["exited", 3],
        ["lost", undefined],
      ],
    );
    for (const { enclosure } of adopted) await enclosure.end(0);
    await assertNothingLeft(setting, before);
  });
}
