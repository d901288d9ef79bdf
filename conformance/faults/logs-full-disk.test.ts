import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { type LogItem, Observe } from "@aurae/api/observe";
import { CellService } from "@aurae/api/runtime";
import { WireClient } from "../client.ts";
import { needsRoot as skip, startDaemon } from "../daemon.ts";
import { fillBytes, memoryDisk, onDisks, seenBy } from "./disks.ts";

/** The disk of the logs is full: programs go on, and what is missing is said. */

const { getSubProcessStream } = Observe.method;

/** The last line that the program writes; five come after the second turn. */
const last = 40_000;

/** Lines and gaps in the order in which they came: "2", "3", 97n, "101". */
function shown(items: readonly LogItem[]): readonly (string | bigint)[] {
  return items.map(({ line, gap }) => gap?.linesDropped ?? line);
}

for (const [what, roomComes] of [
  ["lines come again when room does", true],
  ["the log ends with what it lost when none does", false],
] as const) {
  test(`a full disk stops no program, drops are counted and told: ${what} (fault 56)`, {
    skip,
  }, async () => {
    const through = onDisks({ lib: memoryDisk("size=2m") });
    await using daemon = await startDaemon({ through });
    using client = new WireClient(daemon);
    const [go, done] = [`${daemon.directory}/go`, `${daemon.directory}/done`];
    execFileSync("mkfifo", [go, done]);
    const turn = `echo > ${done}; read line < ${go}`;
    // More than the pipe holds, so that the supervisor has met the full disk when it is told.
    const command = `seq 10; ${turn}; seq 11 ${last - 5}; ${turn}; seq ${last - 4} ${last}; exit 7`;
    await client.allocate({ name: "full" });
    const one = { cellName: "full", executableName: "main" };
    const executable = { name: "main", command, cellName: "full" };
    await client.call(CellService.method.start, { executable });
    const follower = client.open(getSubProcessStream, { ...one, allChannels: true });
    const followed = Array.fromAsync(follower as AsyncIterable<LogItem>);
    await once(follower, "metadata");
    await readFile(done);

    using filled = fillBytes(seenBy(daemon, "lib"));
    writeFileSync(go, "\n");
    await readFile(done);
    if (roomComes) filled.undo();
    writeFileSync(go, "\n");
    const { executables } = await client.call(CellService.method.wait, one);

    const end = executables[0]?.end;
    const items = shown(await followed);
    const late = shown(await client.all(getSubProcessStream, { ...one, allChannels: true }));
    const told = items.filter((item) => typeof item === "bigint");
    const lines = items.filter((item) => typeof item === "string");
    assert.equal(end?.exitCode, 7);
    assert.ok(end.linesDropped > 0n);
    assert.equal(
      told.reduce((sum, dropped) => sum + dropped, 0n),
      end.linesDropped,
    );
    assert.equal(BigInt(lines.length) + end.linesDropped, BigInt(last));
    assert.equal(lines.at(-1) === `${last}`, roomComes);
    assert.deepEqual(late, items);
  });
}
