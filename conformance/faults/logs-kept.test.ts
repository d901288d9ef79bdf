import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { type LogItem, Observe } from "@aurae/api/observe";
import { CellService } from "@aurae/api/runtime";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { type Daemon, needsRoot as skip, spawnDaemon, startDaemon } from "../daemon.ts";
import { LineCheck } from "../writer/line-check.ts";
import { numberedWriter } from "../writer/numbered-writer.ts";

/** Logs outlive the daemon, the program, Stop and Free: until retention ends. */

/** `make torture` writes more of them. */
const lines = Number(process.env["AURAE_LINES"] ?? 15_000);
const { allocate, free, start, stop, wait } = CellService.method;
const { getSubProcessStream } = Observe.method;

async function kill(daemon: Daemon): Promise<void> {
  process.kill(daemon.pid, "SIGKILL");
  await daemon.ended;
}

test(`${2 * lines} lines that are written while no daemon is there all come later (fault 58)`, {
  skip,
}, async () => {
  await using first = await startDaemon();
  const [go, done] = [`${first.directory}/go`, `${first.directory}/done`];
  execFileSync("mkfifo", [go, done]);
  const { command, args } = numberedWriter({ lines });
  const script = `read line < ${go}; ${[command, ...args].join(" ")}; echo > ${done}`;
  {
    using client = new WireClient(first);
    await client.call(allocate, { cell: { name: "kept" } });
    const executable = { name: "main", command: script, cellName: "kept" };
    await client.call(start, { executable });
  }

  await kill(first);
  writeFileSync(go, "\n");
  await readFile(done);
  await using second = await spawnDaemon(first.directory);
  using client = new WireClient(second);
  const check = new LineCheck();
  const request = { cellName: "kept", executableName: "main", allChannels: true };
  for await (const item of client.open(getSubProcessStream, request) as AsyncIterable<LogItem>)
    check.take(item);

  const whole = { lines: 2 * lines, lost: 0, doubled: 0, foreign: 0, ended: 2 };
  assert.deepEqual(check.count, whole);
});

/** What a log says, asked for by the names and by the pid of its run. */
async function read(client: WireClient, name: string, processId: bigint) {
  const byName = { cellName: "kept", executableName: name };
  return Promise.all(
    [byName, { processId }].map(async (selector) => {
      const items = await client.all(getSubProcessStream, { ...selector, allChannels: true });
      return items.map(({ line }) => line);
    }),
  );
}

test("a log is read after the exit, Stop, Free and a new daemon, until retention ends (fault 59)", {
  skip,
}, async () => {
  await using first = await startDaemon();
  const pids: [name: string, pid: bigint][] = [];
  async function areKept(client: WireClient): Promise<void> {
    for (const [name, pid] of pids) {
      const expected = [`${name} out`, `${name} err`];
      assert.deepEqual(await read(client, name, pid), [expected, expected]);
    }
  }
  {
    using client = new WireClient(first);
    await client.call(allocate, { cell: { name: "kept" } });
    for (const [name, rest] of [
      ["exits", "exit 3"],
      ["stopped", "exec sleep 1000"],
      ["freed", "exec sleep 1000"],
    ] as const) {
      const command = `echo ${name} out; echo ${name} err >&2; ${rest}`;
      const executable = { name, command, cellName: "kept" };
      const { pid } = await client.call(start, { executable });
      pids.push([name, BigInt(pid)]);
    }
    await client.call(wait, { cellName: "kept", executableName: "exits" });
    await client.call(stop, { cellName: "kept", executableName: "stopped" });
    await client.call(free, { cellName: "kept" });
    await areKept(client);
  }

  await kill(first);
  {
    await using second = await spawnDaemon(first.directory);
    using client = new WireClient(second);
    await areKept(client);
  }
  await using third = await spawnDaemon(first.directory, { config: "[logs]\nmax_cells = 0\n" });
  using client = new WireClient(third);
  for (const [name, pid] of pids) {
    const { code } = await answerTo(read(client, name, pid));
    assert.equal(code, status.NOT_FOUND);
  }
});
