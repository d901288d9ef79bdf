import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { gzipSync } from "node:zlib";
import { issueClientCertificate } from "@aurae/pki";
import { status } from "@grpc/grpc-js";
import { NodeUnderTest } from "./testing.ts";

/** What no gRPC client sends: requests made by hand on HTTP/2. */

interface HandMade {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: IncomingHttpHeaders;
  readonly body?: Buffer;
}

interface Answer {
  readonly http: number | undefined;
  readonly grpc: number | undefined;
}

/** Send it with a good certificate, and wait until the server has answered or closed the stream. */
async function send(
  node: NodeUnderTest,
  { path = "/runtime.CellService/Allocate", method = "POST", headers = {}, body }: HandMade,
): Promise<Answer> {
  const { certificatePem: cert, privateKeyPem: key } = await issueClientCertificate(node.authority);
  const tls = { path: node.socket, cert, key, rejectUnauthorized: false, ALPNProtocols: ["h2"] };
  const session = connectHttp2("https://localhost", { createConnection: () => connectTls(tls) });
  session.on("error", () => undefined);
  const stream = session.request({
    ...{ ":method": method, ":path": path, "content-type": "application/grpc", te: "trailers" },
    ...headers,
  });
  let seen: IncomingHttpHeaders = {};
  for (const event of ["response", "trailers"] as const)
    stream.on(event, (more: IncomingHttpHeaders) => {
      seen = { ...seen, ...more };
    });
  stream.on("error", () => undefined).resume();
  stream.end(body);
  await once(stream, "close");
  session.destroy();
  const { ":status": http, "grpc-status": grpc } = seen;
  return { http: Number(http), grpc: grpc === undefined ? undefined : Number(grpc) };
}

/** A message with its prefix: whether it is compressed, and how long it says it is. */
function framed(message: Buffer, { length = message.length, isCompressed = false } = {}): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(isCompressed ? 1 : 0, 0);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

/** Nobody was reached, and the next caller is served. */
async function assertUnharmed(node: NodeUnderTest): Promise<void> {
  assert.deepEqual(node.host.log, []);
  const good = Buffer.concat([Buffer.from([0x0a, 5, 0x0a, 3]), Buffer.from("web")]);
  assert.deepEqual(await send(node, { body: framed(good) }), { http: 200, grpc: status.OK });
}

test("a length of 1 GiB is refused without room for it being made (fault 78)", async () => {
  await using node = await NodeUnderTest.start();
  const before = process.memoryUsage().rss;

  const { grpc } = await send(node, { body: framed(Buffer.alloc(100), { length: 1 << 30 }) });

  assert.equal(grpc, status.RESOURCE_EXHAUSTED);
  assert.ok(process.memoryUsage().rss - before < 256 * 1024 ** 2);
  await assertUnharmed(node);
});

test("a message that unpacks to 64 MiB is refused before it is unpacked (fault 78)", async () => {
  await using node = await NodeUnderTest.start();
  const bomb = gzipSync(Buffer.alloc(1 << 26), { level: 9 });
  const before = process.memoryUsage().rss;

  const { grpc } = await send(node, {
    headers: { "grpc-encoding": "gzip" },
    body: framed(bomb, { isCompressed: true }),
  });

  assert.ok(grpc === status.RESOURCE_EXHAUSTED || grpc === status.UNIMPLEMENTED, String(grpc));
  assert.ok(process.memoryUsage().rss - before < 32 * 1024 ** 2);
  await assertUnharmed(node);
});

// Field 1 is the cell, its field 1 the name.
const malformed: Readonly<Record<string, Buffer>> = {
  "cut in the middle": Buffer.from([0x0a, 5, 0x0a, 3, 0x77]),
  "a varint without an end": Buffer.alloc(64, 0xff),
  "a wrong wire type for the cell": Buffer.from([0x08, 1]),
  "a group that is never closed": Buffer.from([0x0b, 0x0b, 0x0b]),
  "10,000 messages in each other": nested(10_000),
};

function nested(depth: number): Buffer {
  return Buffer.alloc(depth * 2, Buffer.from([0x0b]));
}

for (const [what, message] of Object.entries(malformed)) {
  test(`${what} is INVALID_ARGUMENT (fault 79)`, async () => {
    await using node = await NodeUnderTest.start();

    const { grpc } = await send(node, { body: framed(message) });

    assert.equal(grpc, status.INVALID_ARGUMENT);
    await assertUnharmed(node);
  });
}

test("fields that we do not know are ignored (fault 79)", async () => {
  await using node = await NodeUnderTest.start();
  const cell = Buffer.concat([
    Buffer.from([0x0a, 3]),
    Buffer.from("web"),
    Buffer.from([0xf8, 0x3f, 1]),
  ]);
  const message = Buffer.concat([
    Buffer.from([0x0a, cell.length]),
    cell,
    Buffer.from([0xf8, 0x3f, 7]),
  ]);

  const { grpc } = await send(node, { body: framed(message) });

  assert.equal(grpc, status.OK);
  assert.deepEqual(node.host.log, ["enclose web"]);
});

test("an unknown method is UNIMPLEMENTED, another content type 415 (fault 80)", async () => {
  await using node = await NodeUnderTest.start();
  const body = framed(Buffer.alloc(0));

  for (const path of [
    "/runtime.CellService/Explode",
    "/no.Such/Service",
    "/",
    "/runtime.CellService/",
  ])
    assert.equal((await send(node, { path, body })).grpc, status.UNIMPLEMENTED, path);
  for (const type of ["application/json", "application/x-www-form-urlencoded", "text/html"])
    assert.equal((await send(node, { headers: { "content-type": type }, body })).http, 415, type);

  await assertUnharmed(node);
});
