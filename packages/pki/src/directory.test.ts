import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import {
  chmod,
  mkdir,
  mkdtempDisposable,
  readdir,
  readFile,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { initDirectory, pkiFileNames } from "./directory.ts";

const n1 = { hostname: "n1" };

function openTemporary(): ReturnType<typeof mkdtempDisposable> {
  return mkdtempDisposable(join(tmpdir(), "aurae-pki-"));
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o7777;
}

async function readCertificate(directory: string, name: string): Promise<X509Certificate> {
  return new X509Certificate(await readFile(join(directory, name)));
}

test("initDirectory() writes six files, keys for their owner alone", async () => {
  await using temporary = await openTemporary();

  const { files } = await initDirectory(temporary.path, n1);

  assert.deepEqual((await readdir(temporary.path)).toSorted(), [...pkiFileNames].toSorted());
  assert.deepEqual(
    files,
    pkiFileNames.map((name) => join(temporary.path, name)),
  );
  for (const path of files) assert.equal(await modeOf(path), path.endsWith(".key") ? 0o600 : 0o644);
});

test("initDirectory() makes the directory and its parents, for their owner alone", async () => {
  await using temporary = await openTemporary();
  const parent = join(temporary.path, "a");

  const { directory } = await initDirectory(join(parent, "b", ""), n1);

  assert.equal(directory, join(parent, "b"));
  assert.equal(await modeOf(parent), 0o700);
  assert.equal(await modeOf(directory), 0o700);
});

test("initDirectory() gives files their modes whatever the umask", async () => {
  await using temporary = await openTemporary();
  const before = process.umask(0o077);
  try {
    await initDirectory(temporary.path, n1);
  } finally {
    process.umask(before);
  }

  assert.equal(await modeOf(join(temporary.path, "ca.crt")), 0o644);
});

test("initDirectory() writes certificates that belong together", async () => {
  await using temporary = await openTemporary();
  await initDirectory(temporary.path, { ...n1, alternativeNames: ["node.example"] });

  const ca = await readCertificate(temporary.path, "ca.crt");
  const server = await readCertificate(temporary.path, "server.crt");
  const client = await readCertificate(temporary.path, "client.crt");

  assert.ok(server.verify(ca.publicKey) && client.verify(ca.publicKey));
  assert.equal(server.checkHost("node.example"), "node.example");
  assert.equal(client.subjectAltName, "URI:spiffe://aurae.local/aer/client");
});

test("initDirectory() names this machine when no host name is given", async () => {
  await using temporary = await openTemporary();

  const { server } = await initDirectory(temporary.path);

  assert.equal(server.spiffeId, `spiffe://aurae.local/node/${hostname()}`);
});

for (const name of pkiFileNames) {
  test(`initDirectory() refuses when ${name} exists, and writes nothing`, async () => {
    await using temporary = await openTemporary();
    await writeFile(join(temporary.path, name), "mine");

    await assert.rejects(initDirectory(temporary.path, n1), {
      message: `Cannot write ${join(temporary.path, name)}: it exists already`,
    });

    assert.deepEqual(await readdir(temporary.path), [name]);
    assert.equal(await readFile(join(temporary.path, name), "utf8"), "mine");
  });
}

test("initDirectory() follows no symbolic link in place of a file", async () => {
  await using temporary = await openTemporary();
  const pki = join(temporary.path, "pki");
  await mkdir(pki);
  await symlink("../elsewhere", join(pki, "client.key"));

  await assert.rejects(initDirectory(pki, n1), /client\.key: it exists already$/);

  assert.deepEqual(await readdir(temporary.path), ["pki"]);
  assert.deepEqual(await readdir(pki), ["client.key"]);
});

test("initDirectory() refuses a symbolic link in place of the directory", async () => {
  await using temporary = await openTemporary();
  await mkdir(join(temporary.path, "real"));
  await symlink("real", join(temporary.path, "pki"));

  await assert.rejects(initDirectory(join(temporary.path, "pki/"), n1), /: it is a symbolic link$/);

  assert.deepEqual(await readdir(join(temporary.path, "real")), []);
});

test("initDirectory() refuses a file in place of the directory or a parent", async () => {
  await using temporary = await openTemporary();
  const file = join(temporary.path, "file");
  await writeFile(file, "");

  await assert.rejects(initDirectory(file, n1), /: it is not a directory$/);
  await assert.rejects(initDirectory(join(file, "pki"), n1), /: not a directory \(ENOTDIR\)$/);
});

test("initDirectory() refuses a directory in which others may write", async () => {
  await using temporary = await openTemporary();
  await chmod(temporary.path, 0o1777);

  await assert.rejects(
    initDirectory(temporary.path, n1),
    /: others may write in it, its mode is 1777$/,
  );

  assert.deepEqual(await readdir(temporary.path), []);
});

test("initDirectory() makes no directory when a name is malformed", async () => {
  await using temporary = await openTemporary();
  const pki = join(temporary.path, "pki");

  await assert.rejects(initDirectory(pki, { hostname: "a_b" }), { name: "PkiError" });
  await assert.rejects(initDirectory(pki, { ...n1, alternativeNames: ["a b"] }), {
    name: "PkiError",
  });
  await assert.rejects(initDirectory(pki, { ...n1, trustDomain: "A" }), { name: "PkiError" });

  assert.deepEqual(await readdir(temporary.path), []);
});

test("initDirectory() removes the parents it made when the directory cannot be", async () => {
  await using temporary = await openTemporary();

  await assert.rejects(
    initDirectory(join(temporary.path, "a", "b", "x".repeat(256)), n1),
    /ENAMETOOLONG/,
  );

  assert.deepEqual(await readdir(temporary.path), []);
});

test("initDirectory() called twice at once succeeds once, with one set of files", async () => {
  await using temporary = await openTemporary();
  const pki = join(temporary.path, "pki");
  await mkdir(pki, { mode: 0o700 });

  const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => initDirectory(pki, n1)));

  const [won, ...more] = outcomes.filter((outcome) => outcome.status === "fulfilled");
  assert.equal(more.length, 0);
  assert.deepEqual((await readdir(pki)).toSorted(), [...pkiFileNames].toSorted());
  assert.equal(await readFile(join(pki, "client.crt"), "utf8"), won?.value.client.certificatePem);
});
