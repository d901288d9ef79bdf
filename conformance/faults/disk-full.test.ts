import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { CellService, EndReason } from "@aurae/api/runtime";
import { status } from "@grpc/grpc-js";
import { type Answer, answerTo, type WireClient } from "../client.ts";
import { needsRoot as skip, spawnDaemon, startDaemon } from "../daemon.ts";
import { cgroupsOf, launcherOf, pidsOf } from "../host.ts";
import { clientOf, fillBytes, fillInodes, memoryDisk, onDisks, seenBy } from "./disks.ts";

/** A node without room: new work is refused, what is there can be ended, and room that returns is used. */

const noRoom = [status.RESOURCE_EXHAUSTED, "NODE_LIMIT_REACHED"];
const main = { cellName: "web", executableName: "main" };
const sleeper = { name: "main", command: "sleep 1000", cellName: "web" };

async function start(client: WireClient, name: string): Promise<Answer> {
  const executable = { ...sleeper, name };
  return answerTo(client.call(CellService.method.start, { executable }));
}

function codeOf({ code, reason }: Answer): readonly unknown[] {
  return [code, reason];
}

for (const [what, fill] of [
  ["space is left for state (fault 23)", fillBytes],
  ["inode is left for state (fault 24)", fillInodes],
] as const) {
  test(`Allocate and Start are refused, Stop and Free work, when no ${what}`, {
    skip,
  }, async () => {
    const run = memoryDisk("size=256k,nr_inodes=64");
    await using daemon = await startDaemon({ through: onDisks({ run }) });
    using client = clientOf(daemon);
    await client.allocate({ name: "web" });
    await start(client, "main");
    const before = readdirSync(seenBy(daemon, "run/cells"), { recursive: true });
    using filled = fill(seenBy(daemon, "run"));

    assert.deepEqual(codeOf(await answerTo(client.allocate({ name: "more" }))), noRoom);
    assert.deepEqual(codeOf(await start(client, "more")), noRoom);

    assert.deepEqual(readdirSync(seenBy(daemon, "run/cells"), { recursive: true }), before);
    assert.deepEqual(cgroupsOf(daemon, "more"), []);
    const [cgroup = ""] = cgroupsOf(daemon, "web");
    assert.equal(readdirSync(cgroup).includes("x-more"), false);
    const { end } = await client.call(CellService.method.stop, main);
    assert.equal(end?.reason, EndReason.ABORTED);
    await client.free("web");
    assert.deepEqual(cgroupsOf(daemon, "web"), []);
    filled.undo();
    await client.allocate({ name: "more" });
  });

  test(`a daemon comes back to its cells when no ${what}`, { skip }, async () => {
    const run = memoryDisk("size=256k,nr_inodes=64");
    await using first = await startDaemon({ through: onDisks({ run }) });
    using before = clientOf(first);
    await before.allocate({ name: "web" });
    await start(before, "main");
    const pids = pidsOf(first, "web", "main");
    // The disk lives as long as somebody sees it: those in the cell do.
    const through = ["nsenter", "--mount", "--target", `${launcherOf(first)}`];
    fill(seenBy(first, "run"));
    process.kill(first.pid, "SIGKILL");
    await first.ended;

    await using second = await spawnDaemon(first.directory, { through });
    using client = clientOf(second);

    assert.deepEqual(pidsOf(second, "web", "main"), pids);
    const { end } = await client.call(CellService.method.stop, main);
    assert.equal(end?.reason, EndReason.ABORTED);
    await client.free("web");
  });
}
