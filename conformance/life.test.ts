import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Observe } from "@aurae/api/observe";
import { CellService, CellState, EndReason } from "@aurae/api/runtime";
import { WireClient } from "./client.ts";
import { type Daemon, needsRoot, spawnDaemon, startDaemon } from "./daemon.ts";
import { cgroupsOf, pidsOf } from "./host.ts";

/** Daemons that come, go and live side by side. */

const word = { cellName: "stays", executableName: "talker" };

/** A program that says a word, waits for one through a named pipe, says another and ends with 7. */
async function startTalker(daemon: Daemon): Promise<{ readonly pid: number; readonly go: string }> {
  const go = `${daemon.directory}/go`;
  const said = `${daemon.directory}/said`;
  execFileSync("mkfifo", [go, said]);
  using client = new WireClient(daemon);
  await client.allocate({ name: "stays" });
  const command = `echo before; echo > ${said}; read line < ${go}; echo after; exit 7`;
  const executable = { name: "talker", command, cellName: "stays" };
  const { pid } = await client.call(CellService.method.start, { executable });
  await readFile(said);
  return { pid: Number(pid), go };
}

function say(pipe: string): void {
  execFileSync("sh", ["-c", `echo > ${pipe}`]);
}

async function linesOf(client: WireClient): Promise<readonly string[]> {
  const items = await client.all(Observe.method.getSubProcessStream, word);
  return items.map(({ line }) => line);
}

test("a daemon that is killed loses nothing: pid, lines and the end are there for the next", {
  skip: needsRoot,
}, async () => {
  await using first = await startDaemon();
  const { pid, go } = await startTalker(first);

  process.kill(first.pid, "SIGKILL");
  await first.ended;
  say(go);
  await using second = await spawnDaemon(first.directory);
  using client = new WireClient(second);
  const { executables } = await client.call(CellService.method.wait, word);

  assert.equal(Number(executables[0]?.pid), pid);
  assert.deepEqual(
    [executables[0]?.end?.reason, executables[0]?.end?.exitCode],
    [EndReason.EXITED, 7],
  );
  assert.deepEqual(await linesOf(client), ["before", "after"]);
});

test("a daemon that is asked to end leaves its cells, and the next one has them (fault 13)", {
  skip: needsRoot,
}, async () => {
  await using first = await startDaemon({ cellsStay: true });
  const { pid } = await startTalker(first);

  process.kill(first.pid, "SIGTERM");
  await first.ended;
  assert.deepEqual(pidsOf(first, "stays", "talker"), [pid]);
  await using second = await spawnDaemon(first.directory);
  using client = new WireClient(second);
  const { cells } = await client.call(CellService.method.list, {});

  assert.deepEqual(
    cells.map(({ cell, state }) => [cell?.name, state]),
    [["stays", CellState.ALLOCATED]],
  );
  const stopped = await client.call(CellService.method.stop, word);
  assert.equal(stopped.end?.reason, EndReason.ABORTED);
});

test("a daemon with --free-on-exit ends its cells when it is asked to end (fault 13)", {
  skip: needsRoot,
}, async () => {
  await using daemon = await startDaemon();
  const { pid } = await startTalker(daemon);

  process.kill(daemon.pid, "SIGTERM");
  await daemon.ended;

  assert.equal(existsSync(`/proc/${pid}`), false);
  assert.deepEqual(cgroupsOf(daemon, "stays"), []);
});

test("a second daemon on the same directories is refused, and the first is unharmed (fault 17)", {
  skip: needsRoot,
}, async () => {
  await using daemon = await startDaemon();

  await assert.rejects(spawnDaemon(daemon.directory), /another daemon/);

  using client = new WireClient(daemon);
  await client.allocate({ name: "unharmed" });
});

test("daemons side by side have the same names and do not meet", { skip: needsRoot }, async () => {
  await using one = await startDaemon();
  await using other = await startDaemon();
  using clientOfOne = new WireClient(one);
  using clientOfOther = new WireClient(other);

  await Promise.all([
    clientOfOne.allocate({ name: "same" }),
    clientOfOther.allocate({ name: "same" }),
  ]);
  assert.ok(cgroupsOf(one, "same").length > 0);
  await clientOfOne.free("same");

  assert.deepEqual(cgroupsOf(one, "same"), []);
  assert.deepEqual((await clientOfOther.run("same", "echo here")).lines, ["here"]);
});

test("a daemon whose certificate is missing says which, and how to make it", {
  skip: needsRoot,
}, async () => {
  await using daemon = await startDaemon();
  const flags = [
    "--runtime-dir",
    `${daemon.directory}/r`,
    "--library-dir",
    `${daemon.directory}/l`,
  ];

  const child = spawn(`${import.meta.dirname}/../bin/auraed`, [
    ...flags,
    "--ca-crt",
    "/missing/ca.crt",
  ]);
  const lines: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => lines.push(text));
  await once(child, "close");

  assert.equal(child.exitCode, 1);
  assert.match(lines.join(""), /\/missing\/ca\.crt.*aer pki init/s);
});
