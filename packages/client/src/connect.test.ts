import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createAuthority, issueClientCertificate, issueServerCertificate } from "@aurae/pki";
import { type ConnectOptions, connect } from "./client.ts";
import { FakeNode } from "./fake-node.ts";

const authority = await createAuthority();
const other = await createAuthority();
const server = await issueServerCertificate(authority, { hostname: "node.test" });
const client = await issueClientCertificate(authority);
const stranger = await issueClientCertificate(other);

const directory = await mkdtemp(join(tmpdir(), "aurae-connect-"));
after(() => rm(directory, { recursive: true }));
const path = join(directory, "aurae.sock");

const mine: ConnectOptions = {
  socket: path,
  caCrt: authority.certificatePem,
  clientCrt: client.certificatePem,
  clientKey: client.privateKeyPem,
  env: { HOME: directory },
};

function startFake(listen = `unix:${path}`): Promise<FakeNode> {
  return FakeNode.start({
    listen,
    caCrt: authority.certificatePem,
    serverCrt: server.certificatePem,
    serverKey: server.privateKeyPem,
    answers: { list: () => ({ cells: [] }) },
  });
}

for (const host of ["127.0.0.1", "[::1]", "localhost"]) {
  test(`connect() reaches a daemon by TCP at ${host}`, async () => {
    await using fake = await startFake(`${host}:0`);

    await using node = await connect({ ...mine, socket: `${host}:${fake.port}` });

    assert.deepEqual(await node.list(), []);
  });
}

test("connect() reads certificates from files", async () => {
  await using _fake = await startFake();
  const caCrt = join(directory, "ca.crt");
  await writeFile(caCrt, authority.certificatePem);

  await using node = await connect({ ...mine, caCrt });

  assert.deepEqual(await node.list(), []);
});

const refusals: readonly {
  readonly title: string;
  readonly options: ConnectOptions;
  readonly name: string;
  readonly reason: string;
  readonly message: RegExp;
}[] = [
  {
    title: "a socket that is not there",
    options: { socket: join(directory, "absent.sock") },
    name: "Unavailable",
    reason: "DAEMON_UNREACHABLE",
    message: /absent\.sock: there is no such socket$/,
  },
  {
    title: "a port where nobody listens",
    options: { socket: "127.0.0.1:1" },
    name: "Unavailable",
    reason: "DAEMON_UNREACHABLE",
    message: /127\.0\.0\.1:1: nobody listens there$/,
  },
  {
    title: "a daemon of another authority",
    options: { caCrt: other.certificatePem },
    name: "Denied",
    reason: "SERVER_NOT_TRUSTED",
    message: /its certificate is not signed by this CA$/,
  },
  {
    title: "a daemon of another name",
    options: { serverName: "elsewhere.test" },
    name: "Denied",
    reason: "SERVER_NOT_TRUSTED",
    message: /its certificate does not carry the name elsewhere\.test$/,
  },
  {
    title: "a client that the daemon does not know",
    options: { clientCrt: stranger.certificatePem, clientKey: stranger.privateKeyPem },
    name: "Denied",
    reason: "CERTIFICATE_REFUSED",
    message: /it does not accept the client certificate$/,
  },
  {
    title: "a certificate file that is not there",
    options: { clientCrt: "/nowhere/client.crt" },
    name: "Invalid",
    reason: "CERTIFICATE_MISSING",
    message: /^Cannot read client certificate \/nowhere\/client\.crt: no such file or directory$/,
  },
  {
    title: "a key of another certificate",
    options: { clientKey: stranger.privateKeyPem },
    name: "Invalid",
    reason: "CERTIFICATE_INVALID",
    message: /it is not the key of the client certificate$/,
  },
  {
    title: "an address that is none",
    options: { socket: "localhost" },
    name: "Invalid",
    reason: "ADDRESS_INVALID",
    message: /must be a path or host:port/,
  },
];

for (const { title, options, name, reason, message } of refusals) {
  test(`connect() says what is the case with ${title}`, async () => {
    await using _fake = await startFake();

    await assert.rejects(connect({ ...mine, ...options }), { name, reason, message });
  });
}

test("connect() says so when what listens speaks no TLS", async () => {
  const plain = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.resume().end("SSH-2.0-none\r\n");
  });
  const socket = join(directory, "plain.sock");
  await new Promise<void>((resolve) => plain.listen(socket, resolve));

  try {
    await assert.rejects(connect({ ...mine, socket }), { name: "Unavailable", reason: "NO_TLS" });
  } finally {
    await new Promise((resolve) => plain.close(resolve));
  }
});
