import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, Socket } from "node:net";
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

test("what was logged while a write was held up follows it, though nothing more is logged", async () => {
  await using setting = await inDirectory();
  const path = join(setting.directory, "pipe");
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  assert.throws(() => {
    for (;;) writeSync(reader, "x".repeat(4096));
  }, /EAGAIN/);
  const writer = openSync(path, "r+");
  // The second is due to be written while the first still waits for room.
  const script = `
    import { setTimeout as delay } from "node:timers/promises";
    import { LogHistory } from "@aurae/domain/observe";
    import { createDaemonLog } from "${new URL("daemon-log.ts", import.meta.url).href}";
    const { logger } = createDaemonLog("info", new LogHistory());
    logger.info("first");
    await delay(100);
    logger.info("second");
    await delay(100);
    process.stdout.write("logged");
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    ...{ cwd: import.meta.dirname, stdio: ["ignore", "pipe", writer] },
  });
  const exited = once(child, "exit");

  try {
    await once(child.stdout ?? assert.fail(), "data");
    // It begins to read at once.
    using pipe = openPipe(reader);
    let text = "";
    for await (const piece of pipe.socket) {
      text += piece;
      if (text.includes("second")) break;
    }

    assert.match(text, /first.*second/s);
  } finally {
    child.kill("SIGKILL");
    await exited;
    closeSync(writer);
  }
});

function openPipe(fd: number): { readonly socket: Socket } & Disposable {
  const socket = new Socket({ fd, readable: true, signal: AbortSignal.timeout(20_000) });
  return { socket: socket.setEncoding("latin1"), [Symbol.dispose]: () => socket.destroy() };
}
