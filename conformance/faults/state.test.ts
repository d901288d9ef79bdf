import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { Observe } from "@aurae/api/observe";
import { CellService, CellState } from "@aurae/api/runtime";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { type Daemon, needsRoot as skip, spawnDaemon, startDaemon } from "../daemon.ts";
import { directoryOf, killDaemon, listCells } from "./restarts.ts";

/** Files that are not as they were written, or are not ours: what callers see of them. */

const executable = { name: "main", command: "echo ready; exec sleep 1000", cellName: "web" };
const main = { cellName: "web", executableName: "main" };

async function startSleeper(daemon: Daemon): Promise<number> {
  using client = new WireClient(daemon);
  await client.allocate({ name: "web" });
  const { pid } = await client.call(CellService.method.start, { executable });
  for await (const _ of client.open(Observe.method.getSubProcessStream, { ...main, follow: true }))
    break;
  return Number(pid);
}

for (const [what, damage] of [
  ["is cut", (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
  ["has a bit flipped", (bytes: Buffer) => bytes.map((byte, at) => (at === 30 ? byte ^ 1 : byte))],
] as const) {
  test(`a cell whose file ${what} runs on unmanaged, and is back when the file is (faults 61, 62)`, {
    skip,
  }, async () => {
    await using first = await startDaemon();
    const pid = await startSleeper(first);
    await using _left = await killDaemon(first);
    const file = join(directoryOf(first, "web"), "cell.json");
    const whole = readFileSync(file);
    writeFileSync(file, damage(whole));
    {
      await using second = await spawnDaemon(first.directory, { cellsStay: true });
      assert.deepEqual(await listCells(second), []);
      assert.ok(
        second.log.some((line) => line.includes("cell.json: it")),
        second.log.join("\n"),
      );
      using client = new WireClient(second);
      await client.allocate({ name: "another" });
      await client.free("another");
    }
    assert.ok(existsSync(`/proc/${pid}`));
    writeFileSync(file, whole);

    await using third = await spawnDaemon(first.directory);
    const [cell] = await listCells(third);
    assert.equal(cell?.state, CellState.ALLOCATED);
    assert.equal(Number(cell?.executables[0]?.pid), pid);
  });
}

test("a named pipe in the place of a log is refused, and holds up nobody (fault 67)", {
  skip,
}, async () => {
  await using daemon = await startDaemon();
  await startSleeper(daemon);
  const id = basename(directoryOf(daemon, "web"));
  const log = join(daemon.directory, "lib/logs", id, "main/1.log");
  renameSync(log, `${log}.original`);
  execFileSync("mkfifo", [log]);
  using client = new WireClient(daemon);

  // Each would hold one of the four threads that read files.
  const streams = Array.from({ length: 6 }, () =>
    answerTo(client.all(Observe.method.getSubProcessStream, main)),
  );

  for (const { code, message } of await Promise.all(streams)) {
    assert.equal(code, status.INTERNAL);
    assert.ok(message.includes(`${log} is no file of ours: it is a named pipe`), message);
  }
  await client.allocate({ name: "other" });
  assert.deepEqual((await client.run("other", "echo on")).lines, ["on"]);
  renameSync(`${log}.original`, log);
});

test("a daemon does not start on a runtime directory with a link in it (fault 67)", {
  skip,
}, async () => {
  await using first = await startDaemon({ cellsStay: true });
  const pid = await startSleeper(first);
  await using _left = await killDaemon(first);
  const cells = join(first.directory, "run/cells");
  renameSync(cells, `${cells}.original`);
  symlinkSync(`${cells}.original`, cells);

  await assert.rejects(spawnDaemon(first.directory), (cause) => {
    assert.ok(String(cause).includes(`${cells} is no directory of ours: it is a symbolic link`));
    return true;
  });

  assert.ok(existsSync(`/proc/${pid}`));
  rmSync(cells);
  renameSync(`${cells}.original`, cells);
});
