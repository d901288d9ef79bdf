import assert from "node:assert/strict";
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createAuthority, initDirectory, issueServerCertificate } from "@aurae/pki";
import { isEndingSoon, readTlsFiles } from "./tls-files.ts";

async function setUp() {
  const directory = await mkdtemp(join(tmpdir(), "auraed-tls-"));
  await initDirectory(directory, { hostname: "node" });
  return {
    caCrt: join(directory, "ca.crt"),
    serverCrt: join(directory, "server.crt"),
    serverKey: join(directory, "server.key"),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}

test("readTlsFiles() takes what pki init has made", async () => {
  await using paths = await setUp();

  assert.ok(readTlsFiles(paths).life.notAfter > new Date());
});

test("isEndingSoon() is true when less than a third of a life is left", () => {
  const life = { notBefore: new Date(0), notAfter: new Date(3000) };

  const told = [2000, 2001, 4000].map((now) => isEndingSoon(life, new Date(now)));

  assert.deepEqual(told, [false, true, true]);
});

for (const file of ["caCrt", "serverCrt", "serverKey"] as const) {
  test(`readTlsFiles() says which file is missing and how to make it: ${file}`, async () => {
    await using paths = await setUp();
    await rm(paths[file]);

    assert.throws(
      () => readTlsFiles(paths),
      new RegExp(`${paths[file]}: no such file.*aer pki init DIR, and name the file with --`),
    );
  });

  test(`readTlsFiles() says which file is broken: ${file}`, async () => {
    await using paths = await setUp();
    await writeFile(paths[file], "-----BEGIN NOTHING-----\n");

    assert.throws(() => readTlsFiles(paths), new RegExp(`^Refusal: Cannot use ${paths[file]}`));
  });
}

test("readTlsFiles() refuses a key that others may read", async () => {
  await using paths = await setUp();
  await chmod(paths.serverKey, 0o640);

  assert.throws(() => readTlsFiles(paths), /its mode is 0640 \(chmod 600 /);
});

const skip = process.geteuid?.() === 0 ? false : "only root may give a file away";

for (const file of ["caCrt", "serverCrt"] as const) {
  test(`readTlsFiles() refuses a certificate that others may write: ${file}`, async () => {
    await using paths = await setUp();
    await chmod(paths[file], 0o664);

    assert.throws(() => readTlsFiles(paths), /^Refusal: Cannot trust .*: others may .* 0664$/);
  });
}

for (const file of ["caCrt", "serverCrt", "serverKey"] as const) {
  test(`readTlsFiles() refuses a file of another user: ${file}`, { skip }, async () => {
    await using paths = await setUp();
    await chown(paths[file], 4242, 0);

    assert.throws(() => readTlsFiles(paths), /it belongs to another user \(4242\)$/);
  });
}

test("readTlsFiles() refuses a key of another certificate", async () => {
  await using paths = await setUp();
  const other = await issueServerCertificate(await createAuthority(), { hostname: "node" });
  await writeFile(paths.serverKey, other.privateKeyPem);

  assert.throws(() => readTlsFiles(paths), /it is not the key of the certificate/);
});

test("readTlsFiles() refuses a certificate that has expired", async () => {
  await using paths = await setUp();
  const issuedAt = new Date(Date.now() - 60_000);
  const options = { hostname: "node", issuedAt, lifetimeMs: 1000 };
  const old = await issueServerCertificate(await createAuthority(), options);
  await writeFile(paths.serverCrt, old.certificatePem);
  await writeFile(paths.serverKey, old.privateKeyPem);

  assert.throws(() => readTlsFiles(paths), /it has expired at /);
});
