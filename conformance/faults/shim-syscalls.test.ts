import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { type Daemon, needsRoot, startDaemon } from "../daemon.ts";
import { cgroupsOf, rootsOf } from "../host.ts";
import { countCalls } from "./calls.ts";
import { inject } from "./inject.ts";
import { clear, type Operation, operations, type Scene } from "./operations.ts";
import { supervisorsOf } from "./restarts.ts";

/**
 * System calls of the shim made to fail, each with an error that its manual has, at each of its times in each
 * operation. AURAE_SYSCALLS=all tries every one, otherwise a few, others each time.
 */

/** Some of them are made by the launcher, the stage or I: strace follows who is cloned. */
const errors: Readonly<Record<string, string>> = {
  clone3: "EAGAIN",
  pipe2: "EMFILE",
  open: "EMFILE",
  openat: "ENFILE",
  mkdir: "ENOSPC",
  pwrite64: "EIO",
  unlink: "EIO",
  setns: "EPERM",
  unshare: "ENOSPC",
  mount: "ENOMEM",
  mount_setattr: "EINVAL",
  sethostname: "EPERM",
  ioctl: "ENODEV",
  epoll_ctl: "ENOMEM",
  epoll_create1: "EMFILE",
  signalfd4: "EMFILE",
  timerfd_create: "EMFILE",
  timerfd_settime: "ECANCELED",
  pidfd_open: "EMFILE",
  pidfd_send_signal: "EPERM",
  socket: "EMFILE",
  bind: "EACCES",
  listen: "EADDRINUSE",
  capset: "EPERM",
  setgroups: "EPERM",
  setresuid: "EAGAIN",
  setresgid: "EPERM",
  chdir: "EACCES",
  setsid: "EPERM",
  prlimit64: "EPERM",
  execve: "ENOMEM",
};
const share = process.env["AURAE_SYSCALLS"] === "all" ? 1 : 0.08;

let daemon: Daemon;
let client: WireClient;
let made = 0;

before(async () => {
  if (needsRoot) return;
  daemon = await startDaemon();
  client = new WireClient(daemon);
  // The launcher is started with the first cell.
  const first = newScene();
  await client.allocate({ name: first.cellName });
  await clear(first);
});

after(async () => {
  client?.[Symbol.dispose]();
  await daemon?.[Symbol.asyncDispose]();
});

for (const operation of operations) {
  test(`a system call of the shim that fails in ${operation.name} is answered, and leaves nothing (fault 29)`, {
    skip: needsRoot,
  }, async () => {
    const warm = newScene();
    await operation.prepare(warm);
    const counts = await countCalls(shimOf(operation), Object.keys(errors), () =>
      operation.act(warm),
    );
    await clear(warm);
    const sites = [...counts].flatMap(([syscall, count]) =>
      Array.from({ length: count }, (_, index) => ({ syscall, when: index + 1 })),
    );
    assert.ok(sites.length > 2, `${operation.name} makes only ${sites.length} of these calls`);
    for (const { syscall, when } of sites)
      if (share === 1 || Math.random() < share) await failAt(operation, syscall, when);
  });
}

async function failAt(operation: Operation, syscall: string, when: number): Promise<void> {
  const scene = newScene();
  await operation.prepare(scene);
  const shim = shimOf(operation);
  const before = descriptorsOf(launcher());
  const { code, message } = await inject(
    shim,
    `${syscall}:error=${errors[syscall]}:when=${when}`,
    () => answerTo(operation.act(scene)),
  );
  try {
    assert.notEqual(code, status.DEADLINE_EXCEEDED, "it is answered");
    assert.notEqual(code, status.UNKNOWN, message);
    if (operation.name !== "Free") await operation.verify(scene);
    await clear(scene);
    assert.deepEqual(supervisorsOf(daemon), []);
    // It keeps the last connection that it refused, so that D reads why.
    assert.ok(descriptorsOf(launcher()) <= before + 1, "the launcher has as many descriptors");
  } catch (cause) {
    const what = `${operation.name}, ${syscall} ${when}: ${status[code]} ${message}`;
    throw new Error(`${what}\n${daemon.log.slice(-4).join("\n")}`, { cause });
  }
}

/** Who is to be watched: new supervisors come from the launcher. */
function shimOf({ name }: Operation): number {
  if (name === "Allocate") return launcher();
  const [supervisor] = supervisorsOf(daemon);
  assert.ok(supervisor !== undefined);
  return supervisor;
}

function launcher(): number {
  const lists = rootsOf(daemon).map((root) => `${root}/_shim/cgroup.procs`);
  const list = lists.find((path) => existsSync(path)) ?? "";
  const pids = readFileSync(list, "utf8").split("\n").filter(Boolean).map(Number);
  const pid = pids.find((each) =>
    readFileSync(`/proc/${each}/comm`, "utf8").startsWith("aurae-laun"),
  );
  assert.ok(pid !== undefined);
  return pid;
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function newScene(): Scene {
  made += 1;
  const scene = { daemon, client, cellName: `call-${made}` };
  assert.deepEqual(cgroupsOf(daemon, scene.cellName), []);
  return scene;
}
