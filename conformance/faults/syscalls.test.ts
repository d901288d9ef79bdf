import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { type Daemon, needsRoot, spawnDaemon, startDaemon } from "../daemon.ts";
import { countCalls } from "./calls.ts";
import { inject } from "./inject.ts";
import { clear, type Operation, operations, type Scene } from "./operations.ts";

/**
 * Every system call of the daemon that changes something, at each of its times in each operation: killed
 * there, and made to fail there. AURAE_SYSCALLS=all tries each one, otherwise a few, others each time.
 */

const changing = ["mkdir", "rmdir", "rename", "unlink", "openat", "write", "writev", "connect"];
/** Not for write: it wakes the event loop too, and who writes a file is told by tests of full disks. */
const errors: ReadonlyMap<string, string> = new Map([
  ["mkdir", "ENOSPC"],
  ["rmdir", "EIO"],
  ["rename", "ENOSPC"],
  ["unlink", "EIO"],
  ["openat", "EMFILE"],
  ["connect", "EAGAIN"],
]);
const share = process.env["AURAE_SYSCALLS"] === "all" ? 1 : 0.06;

let first: Daemon;
let daemon: Daemon;
let made = 0;

before(async () => {
  if (needsRoot) return;
  first = await startDaemon();
  daemon = first;
});

after(async () => {
  if (needsRoot) return;
  // One that was killed and not followed leaves cells to the next.
  if (!daemon.isRunning()) daemon = await spawnDaemon(first.directory);
  if (daemon !== first) await daemon[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
});

interface Site {
  readonly syscall: string;
  readonly when: number;
}

for (const operation of operations) {
  test(`the daemon killed at a system call of ${operation.name} leaves it done or not done (faults 5, 6)`, {
    skip: needsRoot,
  }, async () => {
    for (const site of await sitesOf(operation)) await killAt(operation, site);
  });

  test(`a system call of the daemon that fails in ${operation.name} is answered, and undone`, {
    skip: needsRoot,
  }, async () => {
    for (const site of await sitesOf(operation)) await failAt(operation, site);
  });
}

/** Where it may be hit, in random order; all of them, or a share. */
async function sitesOf(operation: Operation): Promise<readonly Site[]> {
  using scene = newScene();
  await operation.prepare(scene);
  const counts = await countCalls(daemon.pid, changing, () => operation.act(scene));
  await clear(scene);
  const sites = [...counts].flatMap(([syscall, count]) =>
    Array.from({ length: count }, (_, index) => ({ syscall, when: index + 1 })),
  );
  assert.ok(sites.length > 4, `${operation.name} has only ${sites.length} system calls`);
  return sites.filter(() => Math.random() < share || share === 1);
}

async function killAt(operation: Operation, { syscall, when }: Site): Promise<void> {
  using scene = newScene();
  await operation.prepare(scene);
  await inject(daemon.pid, `${syscall}:signal=SIGKILL:when=${when}`, () =>
    answerTo(operation.act(scene)),
  );
  // The call may not have come this time.
  if (daemon.isRunning()) process.kill(daemon.pid, "SIGKILL");
  await daemon.ended;
  daemon = await spawnDaemon(first.directory);
  using next = sceneOf(scene.cellName);
  await explained(`${syscall} ${when}`, () => operation.verify(next));
  await clear(next);
}

async function failAt(operation: Operation, { syscall, when }: Site): Promise<void> {
  const error = errors.get(syscall);
  if (error === undefined) return;
  using scene = newScene();
  await operation.prepare(scene);
  const before = openDescriptors();
  const { code } = await inject(daemon.pid, `${syscall}:error=${error}:when=${when}`, () =>
    answerTo(operation.act(scene)),
  );
  await explained(`${syscall} ${when} ${status[code]}`, async () => {
    if (operation.name !== "Free" || code !== status.OK) await operation.verify(scene);
  });
  await clear(scene);
  assert.ok(openDescriptors() <= before + 1, `${syscall} ${when} leaves descriptors open`);
}

async function explained(site: string, verify: () => Promise<void>): Promise<void> {
  try {
    await verify();
  } catch (cause) {
    throw new Error(`At ${site}:\n${daemon.log.slice(-5).join("\n")}`, { cause });
  }
}

function openDescriptors(): number {
  return readdirSync(`/proc/${daemon.pid}/fd`).length;
}

function newScene(): Scene & Disposable {
  made += 1;
  return sceneOf(`call-${made}`);
}

function sceneOf(cellName: string): Scene & Disposable {
  const client = new WireClient(daemon);
  return { daemon, client, cellName, [Symbol.dispose]: () => client[Symbol.dispose]() };
}
