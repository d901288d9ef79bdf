import assert from "node:assert/strict";
import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { CellService, EndReason } from "@aurae/api/runtime";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { type Daemon, needsRoot as skip, startDaemon } from "../daemon.ts";
import { cgroupsOf, type Place, parentOf, readCgroup } from "../host.ts";
import { until } from "./until.ts";

/** Free of a cell that is listed, of which the machine has less than that. */

let daemon: Daemon;
let client: WireClient;

before(async () => {
  if (skip) return;
  daemon = await startDaemon();
  client = new WireClient(daemon);
});

after(async () => {
  client?.[Symbol.dispose]();
  await daemon?.[Symbol.asyncDispose]();
});

const { start, free, wait } = CellService.method;
const main = { cellName: "web", executableName: "main" };

/** Somebody else removes the cgroups of a cell, as soon as its last process is gone. */
async function removeCgroups(daemon: Place, cell: string): Promise<void> {
  for (const directory of cgroupsOf(daemon, cell)) await until(() => tryRemove(directory));
}

function tryRemove(directory: string): boolean {
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true }))
      if (entry.isDirectory()) rmdirSync(`${directory}/${entry.name}`);
    rmdirSync(directory);
  } catch {
    // Busy yet; or the daemon was faster with a part of it.
  }
  return !existsSync(directory);
}

for (const [who, reason] of [
  ["supervisor", EndReason.LOST],
  ["init", EndReason.SIGNALED],
] as const) {
  for (const cgroups of ["there", "gone"]) {
    test(`Free of a cell whose ${who} was killed, its cgroups ${cgroups}, leaves nothing (faults 8, 10, 18)`, {
      skip,
    }, async () => {
      await client.allocate({ name: "web" });
      const executable = { name: "main", cellName: "web", command: "sleep 1000" };
      const { pid } = await client.call(start, { executable });
      const requestId = `${who}-${cgroups}`;

      const init = Number(readCgroup(daemon, "web", "_init/cgroup.procs"));
      process.kill(who === "init" ? init : parentOf(Number(pid)), "SIGKILL");
      const { executables } = await client.call(wait, main);
      if (cgroups === "gone") await removeCgroups(daemon, "web");
      await client.call(free, { cellName: "web", requestId });

      assert.equal(executables[0]?.end?.reason, reason);
      await client.call(free, { cellName: "web", requestId });
      const { code } = await answerTo(client.call(free, { cellName: "web" }));
      assert.equal(code, status.NOT_FOUND);
    });
  }
}
