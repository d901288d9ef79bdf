import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { CellService, EndReason } from "@aurae/api/runtime";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { type Daemon, needsRoot as skip, startDaemon } from "../daemon.ts";
import { cgroupsOf, parentOf } from "../host.ts";

/** A process without a descriptor left: what runs is served, what is new is refused, and it recovers. */

const noRoom = [status.RESOURCE_EXHAUSTED, "NODE_LIMIT_REACHED"];
const main = { cellName: "web", executableName: "main" };

/** Leave a process no number for a new descriptor, until it is undone. */
function takeDescriptors(pid: number): Disposable {
  const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let free = 0;
  while (taken.has(free)) free++;
  const [, soft = "", hard = ""] =
    /^Max open files +(\d+) +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8")) ?? [];
  execFileSync("prlimit", [`--pid=${pid}`, `--nofile=${free}:${hard}`]);
  return {
    [Symbol.dispose]() {
      if (!existsSync(`/proc/${pid}`)) return;
      execFileSync("prlimit", [`--pid=${pid}`, `--nofile=${soft}:${hard}`]);
    },
  };
}

/** Connect, and wait until that is over. */
async function knock(daemon: Daemon): Promise<void> {
  const socket = connect(daemon.unixTarget.replace("unix:", ""));
  socket.on("error", () => undefined).resume();
  await once(socket, "close");
}

/** Processor time that a process has had, in ticks of 10 ms. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

/** What so many calls cost a daemon. */
async function costOf(daemon: Daemon, client: WireClient): Promise<number> {
  const before = ticksOf(daemon.pid);
  for (let i = 0; i < 200; i++) await client.call(CellService.method.list, {});
  return ticksOf(daemon.pid) - before;
}

test("a daemon without descriptors closes who comes, serves who is there, and recovers (fault 27)", {
  skip,
}, async () => {
  await using daemon = await startDaemon();
  using client = new WireClient(daemon);
  await client.allocate({ name: "web" });
  const executable = { name: "main", command: "sleep 1000", cellName: "web" };
  await client.call(CellService.method.start, { executable });
  const usual = await costOf(daemon, client);
  const waiting = client.call(CellService.method.wait, main);
  waiting.catch(() => undefined);
  {
    using _none = takeDescriptors(daemon.pid);

    await Promise.all(Array.from({ length: 100 }, () => knock(daemon)));

    assert.ok((await costOf(daemon, client)) <= 3 * usual + 50, "it works without being asked");
    const { code, reason } = await answerTo(client.allocate({ name: "more" }));
    assert.deepEqual([code, reason], noRoom);
    assert.deepEqual(cgroupsOf(daemon, "more"), []);
    assert.equal(readdirSync(`${daemon.directory}/run/cells`).length, 1);
    await client.call(CellService.method.stop, main);
    assert.equal((await waiting).executables[0]?.end?.reason, EndReason.ABORTED);
    await client.free("web");
    assert.deepEqual(cgroupsOf(daemon, "web"), []);
    assert.deepEqual(readdirSync(`${daemon.directory}/run/cells`), []);
  }
  using late = new WireClient(daemon);
  await late.allocate({ name: "more" });
});

test("a supervisor without descriptors refuses Start, and Stop and Free work (fault 27)", {
  skip,
}, async () => {
  await using daemon = await startDaemon();
  using client = new WireClient(daemon);
  await client.allocate({ name: "web" });
  const executable = { name: "main", command: "sleep 1000 & sleep 1000", cellName: "web" };
  const { pid } = await client.call(CellService.method.start, { executable });
  const supervisor = parentOf(Number(pid));
  {
    using _none = takeDescriptors(supervisor);

    const more = client.call(CellService.method.start, {
      executable: { ...executable, name: "more" },
    });

    const { code, reason } = await answerTo(more);
    assert.deepEqual([code, reason], noRoom);
    const { end } = await client.call(CellService.method.stop, { ...main, graceMs: 100 });
    assert.equal(end?.reason, EndReason.ABORTED);
  }
  await client.call(CellService.method.start, { executable });
  using _none = takeDescriptors(supervisor);
  await client.call(CellService.method.free, { cellName: "web", graceMs: 0 });
});
