import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { test } from "node:test";
import { Observe } from "@aurae/api/observe";
import { CellService, EndReason } from "@aurae/api/runtime";
import { WireClient } from "../client.ts";
import { type Daemon, needsRoot as skip, spawnDaemon, startDaemon } from "../daemon.ts";
import { MemoryGroup } from "./memory-group.ts";

/** A daemon that fails from the inside is followed by another, and its cells have noticed nothing. */

const word = { cellName: "stays", executableName: "talker" };
const env = { NODE_OPTIONS: `--import=${import.meta.dirname}/planted.ts` };

/** A program that says a word, waits for one through a named pipe, says another and ends with 7. */
async function startTalker(daemon: Daemon): Promise<{ readonly pid: bigint; readonly go: string }> {
  const [go, said] = [`${daemon.directory}/go`, `${daemon.directory}/said`];
  execFileSync("mkfifo", [go, said]);
  using client = new WireClient(daemon);
  await client.allocate({ name: word.cellName });
  const command = `echo before; echo > ${said}; read line < ${go}; echo after; exit 7`;
  const executable = { name: word.executableName, command, cellName: word.cellName };
  const { pid } = await client.call(CellService.method.start, { executable });
  await readFile(said);
  return { pid, go };
}

/** The next daemon has the cell, its pid, its lines and its end. */
async function assertNothingLost(
  first: Daemon,
  { pid, go }: { readonly pid: bigint; readonly go: string },
): Promise<void> {
  execFileSync("sh", ["-c", `echo > ${go}`]);
  await using second = await spawnDaemon(first.directory);
  using client = new WireClient(second);
  const { executables } = await client.call(CellService.method.wait, word);
  const [run] = executables;
  assert.deepEqual([run?.pid, run?.end?.reason, run?.end?.exitCode], [pid, EndReason.EXITED, 7]);
  const lines = await client.all(Observe.method.getSubProcessStream, word);
  assert.deepEqual(
    lines.map(({ line }) => line),
    ["before", "after"],
  );
}

test("a daemon that meets an exception which nobody catches ends, and loses nothing (fault 15)", {
  skip,
}, async () => {
  await using daemon = await startDaemon({ env, dies: true });
  const talker = await startTalker(daemon);

  process.kill(daemon.pid, "SIGUSR2");
  await daemon.ended;

  assert.match(daemon.log.join("\n"), /"planted".*"ending after an unhandled error"/s);
  await assertNothingLost(daemon, talker);
});

test("a daemon whose event loop hangs is silent to its watchdog, and loses nothing (fault 15)", {
  skip,
}, async () => {
  const bin = execFileSync("mktemp", ["-d", "/tmp/aurae-bin-XXXXXX"], { encoding: "utf8" }).trim();
  using _bin = { [Symbol.dispose]: () => execFileSync("rm", ["-r", bin]) };
  const told = `${bin}/told`;
  execFileSync("mkfifo", [told]);
  writeFileSync(`${bin}/systemd-notify`, `#!/bin/sh\necho "$@" >>${told}\n`, { mode: 0o755 });
  // It holds the pipe open, so that nobody waits to write; then it is the service manager.
  const script = `exec 3<>${told}
    until [ "$pings" = ... ]; do read -r line <&3; [ "$line" = WATCHDOG=1 ] && pings=$pings.; done
    read -r pid <${bin}/pid; kill -WINCH $pid
    while read -r -t 3 line <&3; do :; done
    kill -ABRT $pid`;
  const watchdog = spawn("bash", ["-c", script], { stdio: "inherit" });
  const barked = once(watchdog, "exit");
  execFileSync("mkfifo", [`${bin}/pid`]);
  const path = `${bin}:${process.env["PATH"]}`;
  const manager = { NOTIFY_SOCKET: "/told", WATCHDOG_USEC: "200000", PATH: path };
  await using daemon = await startDaemon({ env: { ...env, ...manager } });
  const talker = await startTalker(daemon);
  writeFileSync(`${bin}/pid`, `${daemon.pid}\n`);

  await Promise.all([barked, daemon.ended]);

  await assertNothingLost(daemon, talker);
});

test("a daemon that is killed for want of memory loses nothing (fault 15)", { skip }, async () => {
  using group = new MemoryGroup();
  await using daemon = await startDaemon({ through: group.through });
  const talker = await startTalker(daemon);
  group.limitToUsed();

  // Each connection is memory until it has said who it is.
  const sockets = Array.from({ length: 500 }, () => connect(daemon.unixTarget.slice(5)));
  for (const socket of sockets) socket.on("error", () => undefined);
  await daemon.ended;
  for (const socket of sockets) socket.destroy();

  assert.ok(group.kills > 0);
  await assertNothingLost(daemon, talker);
});
