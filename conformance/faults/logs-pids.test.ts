import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { type LogItem, Observe } from "@aurae/api/observe";
import { CellService } from "@aurae/api/runtime";
import { WireClient } from "../client.ts";
import { type Daemon, needsRoot as skip, spawnDaemon, startDaemon } from "../daemon.ts";
import { PidSpace } from "./pid-space.ts";

/** A pid that the kernel gives again: a log is of a run, and not of a number. */

const { getSubProcessStream } = Observe.method;

function linesOf(items: readonly LogItem[]): readonly string[] {
  return items.map(({ line }) => line);
}

async function readByPid(client: WireClient, pid: number): Promise<readonly string[]> {
  const request = { processId: BigInt(pid), follow: false };
  return linesOf(await client.all(getSubProcessStream, request));
}

async function start(client: WireClient, cellName: string, command: string): Promise<number> {
  const executable = { name: "main", command, cellName };
  return Number((await client.call(CellService.method.start, { executable })).pid);
}

/** Run a command in a cell, again until the kernel gives it this pid. */
async function startAs(
  pid: number,
  space: PidSpace,
  client: WireClient,
  command: string,
): Promise<void> {
  // Who else takes one between, as the stage that leads the way in, is learnt.
  let between = 1;
  for (let attempt = 0; attempt < 20; attempt++) {
    const last = pid - 1 - between;
    space.setLastPid(last);
    const got = await start(client, "two", command);
    await client.call(CellService.method.wait, { cellName: "two", executableName: "main" });
    if (got === pid) return;
    between = got - last - 1;
  }
  assert.fail(`nothing was given the pid ${pid}`);
}

/** A run whose log stays open when its pid is free, another with its pid, and what a client reads of both. */
async function giveAgain(daemon: Daemon, space: PidSpace): Promise<number> {
  const go = `${daemon.directory}/go`;
  execFileSync("mkfifo", [go]);
  using client = new WireClient(daemon);
  for (const name of ["one", "two"]) await client.allocate({ name });
  // Out of the session, for a pid that names one is not given again.
  const child = `setsid sh -c 'read line < ${go}; echo still'`;
  const pid = await start(client, "one", `echo first; ${child} & exit 0`);
  const bound = client.open(getSubProcessStream, { processId: BigInt(pid) });
  const lines = Array.fromAsync(bound as AsyncIterable<LogItem>).then(linesOf);
  await once(bound, "metadata");
  await client.call(CellService.method.wait, { cellName: "one", executableName: "main" });

  await startAs(pid, space, client, "echo second");
  const again = await readByPid(client, pid);
  writeFileSync(go, "\n");

  assert.deepEqual([await lines, again], [["first", "still"], ["second"]]);
  return pid;
}

test("a log by a pid that was given again is of its last run, and a stream stays with its own (fault 60)", {
  skip,
}, async () => {
  await using space = await PidSpace.open();
  const { through } = space;
  await using first = await startDaemon({ through });
  let pid: number;
  try {
    pid = await giveAgain(first, space);
  } finally {
    await space.end(first, "SIGKILL");
  }

  const second = await spawnDaemon(first.directory, { through });
  try {
    using client = new WireClient(second);
    assert.deepEqual(await readByPid(client, pid), ["second"]);
    const byName = { cellName: "one", executableName: "main" };
    assert.deepEqual(linesOf(await client.all(getSubProcessStream, byName)), ["first", "still"]);
  } finally {
    await space.end(second, "SIGTERM");
  }
});
