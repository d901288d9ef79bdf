import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { type LogItem, Observe } from "@aurae/api/observe";
import { CellService } from "@aurae/api/runtime";
import { WireClient } from "../client.ts";
import { needsRoot as skip, startDaemon } from "../daemon.ts";
import { LineCheck } from "../writer/line-check.ts";
import { numberedWriter } from "../writer/numbered-writer.ts";

const lines = 20_000;

test("while a daemon is stopped programs write on, and a stream has every line after (fault 14)", {
  skip,
}, async () => {
  await using daemon = await startDaemon();
  using client = new WireClient(daemon);
  await client.allocate({ name: "web" });
  const [go, done] = [`${daemon.directory}/go`, `${daemon.directory}/done`];
  execFileSync("mkfifo", [go, done]);
  const { command, args } = numberedWriter({ lines });
  const script = `read x <${go}; ${[command, ...args].join(" ")}; echo >${done}`;
  const executable = { name: "main", command: script, cellName: "web" };
  await client.call(CellService.method.start, { executable });
  const one = { cellName: "web", executableName: "main", allChannels: true };
  const stream = client.open(Observe.method.getSubProcessStream, one);

  process.kill(daemon.pid, "SIGSTOP");
  using _continued = { [Symbol.dispose]: () => process.kill(daemon.pid, "SIGCONT") };
  execFileSync("sh", ["-c", `echo >${go}`]);
  await readFile(done);
  process.kill(daemon.pid, "SIGCONT");

  const check = new LineCheck();
  for await (const item of stream as AsyncIterable<LogItem>) check.take(item);
  const nothing = { lost: 0, doubled: 0, foreign: 0 };
  assert.deepEqual(check.count, { lines: 2 * lines, ...nothing, ended: 2 });
});
