import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const program = `
  import { LogHistory } from "@aurae/domain/observe";
  import { createDaemonLog } from "${new URL("daemon-log.ts", import.meta.url).href}";
  const log = createDaemonLog("info", new LogHistory());
  for (let count = 0; count < 4000; count++) log.logger.info("x".repeat(200));
  process.on("SIGTERM", () => {
    log.flush();
    log.logger.info("one more");
    try {
      process.exit(7);
    } catch {
      process.exit(1);
    }
  });
  setImmediate(() => process.stdout.write("logged"));
  setInterval(() => undefined, 1000);
`;

/** How a daemon ends that writes more than stderr takes, and is sent SIGTERM then. */
async function endOf(stderr: number | Socket): Promise<readonly unknown[]> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    ...{ cwd: import.meta.dirname, stdio: ["ignore", "pipe", stderr] },
  });
  const exited = once(child, "exit", { signal: AbortSignal.timeout(20_000) });
  exited.catch(() => child.kill("SIGKILL"));
  await once(child.stdout ?? assert.fail(), "data");
  child.kill("SIGTERM");
  return exited;
}

async function inDirectory() {
  const directory = await mkdtemp(join(tmpdir(), "auraed-log-"));
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
}

test("SIGTERM ends the daemon though its stderr is a pipe that is full", async () => {
  await using setting = await inDirectory();
  const pipe = join(setting.directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  assert.throws(() => {
    for (;;) writeSync(reader, "x".repeat(4096));
  }, /EAGAIN/);
  const writer = openSync(pipe, "r+");

  const [code] = await endOf(writer);

  assert.equal(code, 7);
  for (const descriptor of [reader, writer]) closeSync(descriptor);
});

test("SIGTERM ends the daemon though nobody reads the socket that is its stderr", async () => {
  await using setting = await inDirectory();
  const path = join(setting.directory, "socket");
  const server = createServer({ pauseOnConnect: true }).listen(path);
  await once(server, "listening");
  const socket = connect(path);
  const [[peer]] = (await Promise.all([
    once(server, "connection"),
    once(socket, "connect"),
  ])) as unknown as [[Socket], unknown];

  const [code] = await endOf(socket);

  assert.equal(code, 7);
  for (const end of [socket, peer]) end.destroy();
  server.close();
});
