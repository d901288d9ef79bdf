import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { type Daemon, needsRoot, startDaemon } from "./daemon.ts";
import {
  cgroupsOf,
  freePort,
  initOf,
  isVersion2,
  mounts,
  namespacesOf,
  pidsOf,
  readCgroup,
} from "./host.ts";
import { type Answer, type SeedClient, startSeedClient } from "./seed/seed-client.ts";

test("a client of the seed's messages does the whole cycle on the Unix socket", {
  skip: needsRoot,
}, async () => {
  await using daemon = await startDaemon();

  await cycle(daemon, daemon.unixTarget);
});

test("a client of the seed's messages does the whole cycle on TCP", {
  skip: needsRoot,
}, async () => {
  await using daemon = await startDaemon({ port: await freePort() });

  await cycle(daemon, daemon.tcpTarget ?? "");
});

test("a client of the seed's messages is told what it did wrong", { skip: needsRoot }, async () => {
  await using daemon = await startDaemon();
  await using client = startSeedClient(daemon, daemon.unixTarget);

  assert.equal(
    codeOf(await client.call("Allocate", { cell: { name: "a/../b" } })),
    "INVALID_ARGUMENT",
  );
  assert.equal(codeOf(await client.call("Free", { cell_name: "nobody" })), "NOT_FOUND");
  assert.equal(codeOf(await client.call("GetSubProcessStream", { process_id: "1" })), "NOT_FOUND");
});

/** Allocate, start, read, stop, free; and what the kernel says of each. */
async function cycle(daemon: Daemon, target: string): Promise<void> {
  await using client = startSeedClient(daemon, target);
  const cell = `seed-${randomBytes(4).toString("hex")}`;
  const mountsBefore = mounts();

  const allocated = await client.call("Allocate", { cell: { name: cell, cpu_shares: "512" } });
  // 512 shares of version 1 are the weight ⌈10^((9² + 125·9)/612 − 7/34)⌉ of version 2.
  const isV2 = isVersion2("cpu");
  const [file, value] = isV2 ? ["cpu.weight", "59"] : ["cpu.shares", "512"];
  assert.deepEqual(allocated, { ok: { cell_name: cell, ...(isV2 && { cgroup_v2: true }) } });
  assert.equal(readCgroup(daemon, cell, file), value);

  const pid = await startInCell(client, cell, daemon);
  checkNamespaces(pid);
  await readLines(client, cell, pid);

  assert.deepEqual(await client.call("Free", { cell_name: cell }), { ok: {} });
  assert.equal(existsSync(`/proc/${pid}`), false);
  assert.deepEqual(cgroupsOf(daemon, cell), []);
  assert.equal(mounts(), mountsBefore);
}

/** Start it, and wait until it has said its words: it tells so through a named pipe. */
async function startInCell(client: SeedClient, cell: string, daemon: Daemon): Promise<number> {
  const pipe = `${daemon.directory}/spoken`;
  execFileSync("mkfifo", [pipe]);
  const spoken = readFile(pipe);
  const command = `echo out; echo err >&2; hostname; echo > ${pipe}; exec sleep 1000`;
  const executable = { name: "main", command, description: "says three words", cell_name: cell };
  assert.deepEqual(await client.call("Start", { executable }), { ok: {} });
  await spoken;
  const [pid] = pidsOf(daemon, cell, "main");
  assert.ok(pid !== undefined);
  return pid;
}

function checkNamespaces(pid: number): void {
  const ours = new Set(namespacesOf("self"));
  assert.deepEqual(
    namespacesOf(pid).filter((namespace) => ours.has(namespace)),
    [],
  );
  assert.equal(initOf(pid), "aurae-init");
}

/** Stop ends the streams, which so are whole. */
async function readLines(client: SeedClient, cell: string, pid: number): Promise<void> {
  const stopped = await client.call("Stop", { cell_name: cell, executable_name: "main" });
  assert.deepEqual(stopped, { ok: {} });

  const out = await client.call("GetSubProcessStream", { process_id: String(pid) });
  const err = await client.call("GetSubProcessStream", {
    channel_type: "CHANNEL_STDERR",
    process_id: String(pid),
  });

  assert.deepEqual(linesOf(out), ["main::stdout out", `main::stdout ${cell}`]);
  assert.deepEqual(linesOf(err), ["main::stderr err"]);
}

function linesOf(answer: Answer): readonly string[] {
  assert.ok("ok" in answer && Array.isArray(answer.ok), JSON.stringify(answer));
  return answer.ok.map((item: Record<string, string>) => `${item["channel"]} ${item["line"]}`);
}

function codeOf(answer: Answer): string | undefined {
  return "code" in answer ? answer.code : undefined;
}
