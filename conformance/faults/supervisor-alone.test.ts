import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { CellService, EndReason } from "@aurae/api/runtime";
import { answerTo, WireClient } from "../client.ts";
import { needsRoot, spawnDaemon, startDaemon } from "../daemon.ts";

/** What a supervisor does while there is no daemon. */

const graceMs = 800;

test("a grace that was running when the daemon was killed ends in time, and the next daemon tells it (fault 3)", {
  skip: needsRoot,
}, async () => {
  await using first = await startDaemon();
  const pipes = ["up", "ready", "meek", "stubborn"].map((name) => `${first.directory}/${name}`);
  const [up, ready, meek, stubborn] = pipes;
  assert.ok(up && ready && meek && stubborn);
  execFileSync("mkfifo", pipes);
  using client = new WireClient(first);
  await client.allocate({ name: "web" });
  // Each of two processes holds a pipe: who reads that to its end sees the process end.
  const command = `exec 3>${stubborn}; (echo >${up}; exec sleep 1000) 4>${meek} 3>&- & trap '' TERM; echo >${ready}; exec sleep 1000`;
  const one = { cellName: "web", executableName: "main" };
  await client.call(CellService.method.start, {
    executable: { name: "main", command, cellName: "web" },
  });
  const [meekEnded, stubbornEnded] = [meek, stubborn].map((pipe) => readFile(pipe));
  for (const pipe of [up, ready]) await readFile(pipe);

  const asked = Date.now();
  const stopped = answerTo(client.call(CellService.method.stop, { ...one, graceMs }));
  await meekEnded;
  process.kill(first.pid, "SIGKILL");
  await first.ended;
  await stopped;
  await stubbornEnded;

  await using second = await spawnDaemon(first.directory);
  using other = new WireClient(second);
  const { executables } = await other.call(CellService.method.wait, one);
  const [end] = executables.map((executable) => executable.end);
  assert.deepEqual([end?.reason, end?.signal], [EndReason.ABORTED, 9]);
  const graceWas = Number(end?.endedAtNs) / 1e6 - asked;
  assert.ok(graceWas >= graceMs, `ended after ${graceWas} ms`);
});
