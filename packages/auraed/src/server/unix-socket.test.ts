import assert from "node:assert/strict";
import { once } from "node:events";
import { lstatSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { prepareSocketPlace, publishSocket } from "./unix-socket.ts";

async function setUp() {
  const directory = await mkdtemp(join(tmpdir(), "auraed-socket-"));
  return {
    directory,
    path: join(directory, "aurae.sock"),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}

/** Bind a socket at the path; a dead one stays behind when its server was renamed away from it. */
async function listenAt(path: string) {
  const server = createServer().listen({ path });
  await once(server, "listening");
  return server;
}

test("a socket appears with mode 0660, and only ours is taken away", async () => {
  await using setting = await setUp();
  const place = await prepareSocketPlace(setting.path);
  const server = await listenAt(place.temporaryPath);

  const withdraw = publishSocket(place);

  assert.equal(lstatSync(setting.path).mode & 0o777, 0o660);
  await rm(setting.path);
  await writeFile(setting.path, "another's");
  withdraw();
  assert.ok(lstatSync(setting.path).isFile());
  server.close();
});

test("a socket that nobody listens on is replaced (fault 81)", async () => {
  await using setting = await setUp();
  const place = await prepareSocketPlace(setting.path);
  const dead = await listenAt(place.temporaryPath);
  publishSocket(place);
  dead.close();
  await once(dead, "close");

  const again = await prepareSocketPlace(setting.path);

  assert.equal(again.path, setting.path);
});

test("a socket that somebody listens on is refused (fault 82)", async () => {
  await using setting = await setUp();
  const live = await listenAt(setting.path);

  await assert.rejects(prepareSocketPlace(setting.path), /another program listens there$/);

  live.close();
});

const planted: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  "a symbolic link": (path) => symlink("/run/elsewhere.sock", path),
  "a directory": (path) => mkdir(path),
  "a file that is no socket": (path) => writeFile(path, ""),
};

for (const [what, plant] of Object.entries(planted)) {
  test(`${what} in the place of the socket is refused (fault 82)`, async () => {
    await using setting = await setUp();
    await plant(setting.path);

    await assert.rejects(prepareSocketPlace(setting.path), new RegExp(`there is ${what}$`));
  });
}

test("a directory in which others may write is refused", async () => {
  await using setting = await setUp();
  await chmod(setting.directory, 0o777);

  await assert.rejects(prepareSocketPlace(setting.path), /others may write in its directory/);
});

const skip = process.geteuid?.() === 0 ? false : "only root may give a directory away";

test("a directory of another user is refused, sticky or not", { skip }, async () => {
  await using setting = await setUp();
  await chown(setting.directory, 4242, 0);
  await chmod(setting.directory, 0o1755);

  await assert.rejects(prepareSocketPlace(setting.path), /belongs to another user \(4242\)$/);
});

test("a path that the kernel would cut is refused", async () => {
  await using setting = await setUp();

  const long = join(setting.directory, `${"x".repeat(100)}.sock`);

  await assert.rejects(prepareSocketPlace(long), /its path is longer than 107 bytes$/);
});
