import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Invalid, resolveConnection } from "./client.ts";

interface Home extends AsyncDisposable {
  readonly path: string;
  readonly env: { readonly HOME: string };
}

async function openHome(files: Readonly<Record<string, string>>): Promise<Home> {
  const path = await mkdtemp(join(tmpdir(), "aurae-home-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  }
  return {
    path,
    env: { HOME: path },
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true });
    },
  };
}

const own = ".config/aer/config.toml";

test("resolveConnection() takes the caller's value before the variable, the file and the default", async () => {
  await using home = await openHome({
    [own]:
      '[auth]\nca_crt = "/file/ca"\nclient_crt = "/file/crt"\n[system]\nsocket = "/file/socket"',
  });
  const env = { ...home.env, AER_SOCKET: "/env/socket", AER_CLIENT_CRT: "/env/crt" };

  const connection = await resolveConnection({ socket: "/given/socket" }, { env });

  assert.deepEqual(connection, {
    socket: "/given/socket",
    caCrt: "/file/ca",
    clientCrt: "/env/crt",
    clientKey: "/etc/aurae/pki/client.key",
  });
});

test("resolveConnection() reads upstream's file, with ~ for the home of the user", async () => {
  await using home = await openHome({
    ".aurae/config": '[auth]\nca_crt = "~/pki/ca.crt"\n[system]\nsocket = "[fe80::2%taubr0]:8080"',
  });

  const { caCrt, socket } = await resolveConnection({}, { env: home.env });

  assert.deepEqual([caCrt, socket], [join(home.path, "pki/ca.crt"), "[fe80::2%taubr0]:8080"]);
});

test("resolveConnection() names the file and the key that is broken", async () => {
  await using home = await openHome({ [own]: "[auth]\nca_crt = 7" });

  await assert.rejects(resolveConnection({}, { env: home.env }), (error) => {
    assert.ok(error instanceof Invalid);
    assert.equal(
      error.message,
      `Cannot read configuration ${join(home.path, own)}: auth.ca_crt must be text`,
    );
    return true;
  });
});

test("resolveConnection() refuses a file that is no TOML", async () => {
  await using home = await openHome({ [own]: "[auth" });

  await assert.rejects(resolveConnection({}, { env: home.env }), {
    name: "Invalid",
    message: /^Cannot read configuration .*config\.toml: /,
  });
});

test("resolveConnection() refuses a chosen file that is not there", async () => {
  await using home = await openHome({});
  const env = { ...home.env, AER_CONFIG: join(home.path, "absent") };

  await assert.rejects(resolveConnection({}, { env }), {
    name: "Invalid",
    message: /no such file$/,
  });
});
