import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { test } from "node:test";
import {
  Health,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "@aurae/api/health";
import { CellService, EndReason } from "@aurae/api/runtime";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { needsRoot as skip, spawnDaemon, startDaemon } from "../daemon.ts";
import { cgroupsOf } from "../host.ts";
import { clientOf, memoryDisk, once, onDisks, runBeside } from "./disks.ts";
import { inject } from "./inject.ts";

/** Disks that fail or cannot be written: what was not written has not happened. */

const sleeper = { name: "main", command: "sleep 1000", cellName: "web" };
const main = { cellName: "web", executableName: "main" };

/** A disk in a file, whose end is as that of a real one: EXT4_IOC_SHUTDOWN without a flush. */
const shutDown = `python3 -c 'import fcntl, os, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, b"\\2\\0\\0\\0")'`;

/** What health says of cells, one answer after the other. */
async function* healthOf(client: WireClient): AsyncGenerator<ServingStatus> {
  const request = { service: CellService.typeName };
  const stream = client.open(Health.method.watch, request).on("error", () => undefined);
  try {
    for await (const { status: said } of stream as AsyncIterable<HealthCheckResponse>) yield said;
  } finally {
    stream.cancel();
  }
}

test("a disk of state that fails is told by health, takes no new work, and is used again (fault 25)", {
  skip,
}, async () => {
  const directory = mkdtempSync("/tmp/aurae-disk-");
  using _disk = { [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
  const image = `${directory}/image`;
  execFileSync("mkfs.ext4", ["-q", image, "4M"]);
  const run = `-o loop ${image}`;
  await using daemon = await startDaemon({ through: onDisks({ run }) });
  using client = clientOf(daemon);
  await client.allocate({ name: "web" });
  await client.call(CellService.method.start, { executable: sleeper });
  await using health = healthOf(client);
  assert.equal((await health.next()).value, ServingStatus.SERVING);
  const runDir = `${daemon.directory}/run`;
  runBeside(daemon, `sync; ${shutDown} ${runDir}`);
  // A copy: of the same file, mount(8) would take the same device, and so the one that failed.
  const repairing = `cp ${image} ${image}2; umount --lazy ${runDir}; mount ${run}2 ${runDir}`;
  using repair = once(() => runBeside(daemon, repairing));

  const first = await answerTo(client.allocate({ name: "more" }));
  assert.equal((await health.next()).value, ServingStatus.NOT_SERVING);
  const second = await answerTo(client.allocate({ name: "more" }));
  const start = await answerTo(
    client.call(CellService.method.start, { executable: { ...sleeper, name: "more" } }),
  );

  assert.deepEqual([first.code, first.reason], [status.INTERNAL, "HOST_FAILED"]);
  assert.match(first.message, /\(EIO\)/);
  for (const { code, message } of [second, start]) {
    assert.equal(code, status.UNAVAILABLE);
    assert.match(message, /runtime directory cannot be written: .*\(EIO\)/);
  }
  assert.deepEqual(cgroupsOf(daemon, "more"), []);
  const { end } = await client.call(CellService.method.stop, main);
  assert.equal(end?.reason, EndReason.ABORTED);
  repair.undo();
  assert.equal((await health.next()).value, ServingStatus.SERVING);
  await client.free("web");
  await client.allocate({ name: "more" });
  // The door is on the old disk: nobody else comes in.
  process.kill(daemon.pid, "SIGTERM");
  await daemon.ended;
});

test("a cell whose commit fails with EIO was never there (fault 25)", { skip }, async () => {
  await using daemon = await startDaemon();
  using client = new WireClient(daemon);
  await client.allocate({ name: "before" });

  const { code, message } = await inject(daemon.pid, "rename:error=EIO", () =>
    answerTo(client.allocate({ name: "web" })),
  );

  assert.equal(code, status.INTERNAL);
  assert.match(message, /\(EIO\)/);
  const { cells } = await client.call(CellService.method.list, {});
  assert.deepEqual(
    cells.map(({ cell }) => cell?.name),
    ["before"],
  );
  assert.deepEqual(cgroupsOf(daemon, "web"), []);
  assert.equal(readdirSync(`${daemon.directory}/run/cells`).length, 1);
});

test("a daemon refuses to start when one of its directories is read-only (fault 26)", {
  skip,
}, async () => {
  await using daemon = await startDaemon();
  process.kill(daemon.pid, "SIGTERM");
  await daemon.ended;

  for (const which of ["run", "lib"]) {
    const path = `${daemon.directory}/${which}`;
    const script = `mount --bind ${path} ${path}; mount -o remount,bind,ro ${path}; exec "$@"`;
    const through = ["unshare", "--mount", "sh", "-ec", script, "read-only"];
    await assert.rejects(
      async () => {
        await using _started = await spawnDaemon(daemon.directory, { through });
      },
      new RegExp(`${path}.*read-only file system \\(EROFS\\)`),
    );
  }
});

test("state is not kept in memory when its disk becomes read-only (fault 26)", {
  skip,
}, async () => {
  const run = memoryDisk("size=1m");
  await using daemon = await startDaemon({ through: onDisks({ run }) });
  using client = clientOf(daemon);
  await client.allocate({ name: "web" });
  await using health = healthOf(client);
  await health.next();
  const runDir = `${daemon.directory}/run`;
  runBeside(daemon, `mount --bind ${runDir} ${runDir}; mount -o remount,bind,ro ${runDir}`);
  using writable = once(() => runBeside(daemon, `umount ${runDir}`));

  const { message } = await answerTo(client.allocate({ name: "more" }));

  assert.match(message, /\(EROFS\)/);
  assert.equal((await health.next()).value, ServingStatus.NOT_SERVING);
  assert.deepEqual(cgroupsOf(daemon, "more"), []);
  writable.undo();
  assert.equal((await health.next()).value, ServingStatus.SERVING);
  await client.free("web");
});
