import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectRaw } from "node:net";
import { test } from "node:test";
import { connect } from "node:tls";
import { CellService } from "@aurae/api/runtime";
import { createAuthority, issueClientCertificate } from "@aurae/pki";
import { issueOddCertificate } from "@aurae/pki/testing";
import { status } from "@grpc/grpc-js";
import { NodeUnderTest, type Pair } from "./testing.ts";

const { allocate } = CellService.method;
const request = { cell: { name: "web" } };

/** Allocate with that certificate; the error it ended with. What counts is what the host was asked. */
async function tryToAllocate(node: NodeUnderTest, pair: Pair | null) {
  const client = await node.connect(pair);
  const deadline = Date.now() + 10_000;
  return await client.call(allocate, request, { deadline }).then(
    () => undefined,
    (cause: { readonly code: status }) => cause.code,
  );
}

const refusedByTls: Readonly<Record<string, (node: NodeUnderTest) => Promise<Pair | null>>> = {
  "no certificate": async () => null,
  "another authority's": async () => issueClientCertificate(await createAuthority()),
  "an expired one": ({ authority }) =>
    issueClientCertificate(authority, {
      issuedAt: new Date(Date.now() - 60_000),
      lifetimeMs: 1000,
    }),
  "one of the future": ({ authority }) =>
    issueClientCertificate(authority, { issuedAt: new Date(Date.now() + 3_600_000) }),
};

for (const [what, issue] of Object.entries(refusedByTls)) {
  test(`a client with ${what} reaches no handler (fault 84)`, async () => {
    await using node = await NodeUnderTest.start();

    const code = await tryToAllocate(node, await issue(node));

    assert.equal(code, status.UNAVAILABLE);
    assert.deepEqual(node.host.log, []);
    assert.ok(node.records.some(({ msg }) => msg === "connection refused"));
  });
}

const uri = "spiffe://aurae.local/aer/client";
const refusedByGate: Readonly<Record<string, Parameters<typeof issueOddCertificate>[1]>> = {
  "no URI": { subject: [{ CN: ["stranger"] }] },
  "two URIs": { names: [uri, `${uri}2`].map((value) => ({ type: "url", value })) },
  "a URI of another trust domain": { names: [{ type: "url", value: "spiffe://other/aer/client" }] },
  "a CA's rights": { names: [{ type: "url", value: uri }], isAuthority: true },
};

for (const [what, odd] of Object.entries(refusedByGate)) {
  test(`a certificate with ${what} is UNAUTHENTICATED and reaches no handler (fault 85)`, async () => {
    await using node = await NodeUnderTest.start();

    const code = await tryToAllocate(node, await issueOddCertificate(node.authority, odd));

    assert.deepEqual([code, node.host.log], [status.UNAUTHENTICATED, []]);
  });
}

test("a common name that is mapped speaks for its identity", async () => {
  await using node = await NodeUnderTest.start();
  const nova = await issueOddCertificate(node.authority, { subject: [{ CN: ["nova"] }] });

  assert.equal(await tryToAllocate(node, nova), undefined);

  const call = node.records.find(({ msg }) => msg === "call");
  assert.equal(call?.["identity"], "spiffe://aurae.local/user/nova");
});

test("TCP is served as the Unix socket is", async () => {
  await using node = await NodeUnderTest.start({ host: "127.0.0.1", port: 0 });
  const [tcp = ""] = node.front.addresses;
  const client = await node.connect(undefined, tcp);

  await client.call(allocate, request);

  assert.deepEqual(node.host.log, ["enclose web"]);
  assert.equal(node.records.at(-1)?.["listener"], "tcp");
});

test("a port in use is refused, and leaves no socket (fault 83)", async () => {
  await using node = await NodeUnderTest.start({ host: "127.0.0.1", port: 0 });
  const port = Number(node.front.addresses[0]?.split(":")[1]);

  const second = NodeUnderTest.start({ host: "127.0.0.1", port });

  await assert.rejects(second, /Cannot listen on 127.0.0.1:\d+: .*EADDRINUSE/);
});

test("TLS 1.2 and a client without HTTP/2 are refused (faults 88 and 89)", async () => {
  await using node = await NodeUnderTest.start();
  const own = await issueClientCertificate(node.authority);
  const options = { path: node.socket, cert: own.certificatePem, key: own.privateKeyPem };

  for (const odd of [{ maxVersion: "TLSv1.2" } as const, { ALPNProtocols: ["http/1.1"] }, {}]) {
    const socket = connect({ ...options, ...odd, rejectUnauthorized: false });
    socket.on("error", () => undefined).resume();
    // Not once(), which takes an error for the end.
    await new Promise((resolve) => socket.on("close", resolve));
  }

  assert.equal(node.records.filter(({ msg }) => msg === "connection refused").length, 3);
});

test("a client that speaks no TLS is cut off", async () => {
  await using node = await NodeUnderTest.start();
  const socket = connectRaw({ path: node.socket });
  socket.on("error", () => undefined).resume();

  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

  await new Promise((resolve) => socket.on("close", resolve));
});

test("a session cannot be resumed (fault 86)", async () => {
  await using node = await NodeUnderTest.start();
  const own = await issueClientCertificate(node.authority);
  const options = {
    ...{ path: node.socket, cert: own.certificatePem, key: own.privateKeyPem },
    ...{ ALPNProtocols: ["h2"], rejectUnauthorized: false },
  };
  const first = connect(options);
  // OpenSSL gives sessions even so, but the server has kept none.
  const [session] = (await once(first, "session")) as [Buffer];
  const second = connect({ ...options, session });

  await once(second, "secureConnect");

  assert.equal(second.isSessionReused(), false);
  first.destroy();
  second.destroy();
});
