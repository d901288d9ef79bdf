import assert from "node:assert/strict";
import { test } from "node:test";
import { AllocateCellRequestSchema, CellService } from "@aurae/api/runtime";
import { issueClientCertificate } from "@aurae/pki";
import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { NodeUnderTest } from "../server/testing.ts";
import { readMark } from "./request-mark.ts";

const { allocate, start, stop, free } = CellService.method;
const executable = { cellName: "web", name: "server", command: "sleep 1000" };
const names = { cellName: "web", executableName: "server" };

test("each call that changes something is done once under a request id (fault 68)", async () => {
  await using node = await NodeUnderTest.start();
  const client = await node.connect();
  const requestId = "2f5c1c9e";
  const calls = [
    () => client.call(allocate, { cell: { name: "web" }, requestId }),
    () => client.call(start, { executable, requestId }),
    () => client.call(stop, { ...names, requestId }),
    () => client.call(free, { cellName: "web", requestId }),
  ];

  for (const call of calls) {
    const first = await call();
    assert.deepEqual(await call(), first);
  }

  const done = ["enclose web", "start web server", "stop web server", "end web"];
  assert.deepEqual(node.host.log, done);
});

test("the same id of another identity is another request (fault 68)", async () => {
  await using node = await NodeUnderTest.start();
  const own = await node.connect();
  const other = await node.connect(await issueClientCertificate(node.authority, { path: "other" }));
  const request = { cell: { name: "web" }, requestId: "same" };

  await own.call(allocate, request);

  await assert.rejects(other.call(allocate, request), { code: status.ALREADY_EXISTS });
});

test("the same id with another request is refused, a malformed one too", async () => {
  await using node = await NodeUnderTest.start();
  const client = await node.connect();
  await client.call(allocate, { cell: { name: "web" }, requestId: "same" });

  const reused = client.call(allocate, { cell: { name: "other" }, requestId: "same" });
  const malformed = client.call(free, { cellName: "web", requestId: "a b" });

  await assert.rejects(reused, /INVALID_ARGUMENT: Cannot take the request: its request_id names/);
  await assert.rejects(malformed, /INVALID_ARGUMENT: Cannot take the request of Free: request_id/);
  assert.deepEqual(node.host.log, ["enclose web"]);
});

test("a map that is written in another order is the same request, another value is not", () => {
  const [one, same, other] = [
    { a: "1", b: "2" },
    { b: "2", a: "1" },
    { a: "1", b: "3" },
  ].map((labels) => {
    const cell = { name: "web", labels };
    return readMark(allocate, create(AllocateCellRequestSchema, { cell, requestId: "id" }), "x");
  });

  assert.deepEqual(one, same);
  assert.equal(one?.key, other?.key);
  assert.notEqual(one?.digest, other?.digest);
});
