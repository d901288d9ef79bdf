import assert from "node:assert/strict";
import { test } from "node:test";
import { ServerReflection } from "@aurae/api/reflection";
import { CellService, Instances, Pods, Spawn } from "@aurae/api/runtime";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { NodeUnderTest } from "./testing.ts";

const { allocate, free, list, start, stop } = CellService.method;

test("a message over 4 MiB is RESOURCE_EXHAUSTED and reaches no handler (fault 78)", async () => {
  await using node = await NodeUnderTest.start();
  const client = await node.connect();
  const name = "x".repeat(5 * 1024 ** 2);

  const refused = client.call(allocate, { cell: { name } });

  await assert.rejects(refused, { code: status.RESOURCE_EXHAUSTED });
  assert.deepEqual(node.host.log, []);
});

test("a message that is none, or holds no UTF-8, is INVALID_ARGUMENT (fault 79)", async () => {
  await using node = await NodeUnderTest.start();
  const { client } = await node.connect();
  // Cell.name of two bytes that are no UTF-8; a length beyond the end.
  const messages = [Buffer.from([0x0a, 4, 0x0a, 2, 0xff, 0xfe]), Buffer.from([0x0a, 100, 1])];

  for (const message of messages) {
    const code = await new Promise((resolve) =>
      client.makeUnaryRequest(
        ...["/runtime.CellService/Allocate", () => message, () => undefined, message],
        (error) => resolve(error?.code),
      ),
    );
    assert.equal(code, status.INVALID_ARGUMENT);
  }
});

test("an unexpected error tells nothing of the inside, and is logged with its stack", async () => {
  await using node = await NodeUnderTest.start();
  const client = await node.connect();
  node.host.note = () => Promise.reject(new TypeError("secret"));

  const failed = client.call(allocate, { cell: { name: "web" } });

  const details = "Cannot answer: the daemon has met an unexpected error";
  await assert.rejects(failed, { code: status.INTERNAL, details });
  const record = node.records.find(({ msg }) => msg === "unexpected error");
  assert.match(JSON.stringify(record?.["err"]), /TypeError: secret\\n +at /);
});

test("a call is logged once, with what it was about and how it ended", async () => {
  await using node = await NodeUnderTest.start();
  const client = await node.connect();

  await client.call(allocate, { cell: { name: "web" } });
  await client.call(allocate, { cell: { name: "web" } }).catch(() => undefined);

  const calls = node.records.filter(({ msg }) => msg === "call");
  assert.deepEqual(
    calls.map(({ method, cell, status }) => [method, cell, status]),
    ["OK", "ALREADY_EXISTS"].map((end) => ["runtime.CellService/Allocate", "web", end]),
  );
  assert.equal(calls[0]?.["identity"], "spiffe://aurae.local/aer/client");
  assert.equal(typeof calls[0]["ms"], "number");
});

test("what happens to a cell is logged at debug, in order", async () => {
  await using node = await NodeUnderTest.start();
  const client = await node.connect();
  const names = { cellName: "web", name: "once" };

  await client.call(allocate, { cell: { name: "web" } });
  await client.call(start, { executable: { ...names, command: "exit 3" } });
  await client.call(start, { executable: { ...names, name: "server", command: "sleep 9" } });
  await client.call(stop, { cellName: "web", executableName: "server" });
  await client.call(free, { cellName: "web" });

  const events = node.records.filter(({ level }) => level === 20);
  assert.deepEqual(
    events.map(({ msg, executable }) => [msg, executable].filter(Boolean).join(" ")),
    [
      ...["cell allocated", "run started once", "run ended once", "run started server"],
      ...["stopping run server", "run ended server", "freeing cell", "cell freed"],
    ],
  );
});

test("a mutation whose caller has left is finished (fault 77)", async () => {
  await using node = await NodeUnderTest.start();
  const client = await node.connect();
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const controller = new AbortController();
  node.host.note = () => {
    controller.abort();
    return held;
  };

  const { signal } = controller;
  const left = client.call(allocate, { cell: { name: "web" } }, { signal });
  await assert.rejects(left, { code: status.CANCELLED });
  letGo();

  const { cells } = await client.call(list, {});
  assert.equal(cells[0]?.cell?.name, "web");
});

for (const { typeName } of [Pods, Instances, Spawn]) {
  test(`a call of ${typeName} is UNIMPLEMENTED`, async () => {
    await using node = await NodeUnderTest.start();
    const { client } = await node.connect();

    const code = await new Promise((resolve) =>
      client.makeUnaryRequest(
        ...[`/${typeName}/Allocate`, () => Buffer.alloc(0), () => undefined, undefined],
        (error) => resolve(error?.code),
      ),
    );

    assert.equal(code, status.UNIMPLEMENTED);
  });
}

for (const version of ["v1", "v1alpha"]) {
  test(`reflection ${version} tells the services, those without methods too`, async () => {
    await using node = await NodeUnderTest.start();
    const { client } = await node.connect();
    const { input, output } = ServerReflection.method.serverReflectionInfo;

    const call = client.makeBidiStreamRequest(
      `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      (value: string) =>
        Buffer.from(
          toBinary(input, create(input, { messageRequest: { case: "listServices", value } })),
        ),
      (bytes) => fromBinary(output, bytes),
    );
    call.end("*");
    const answers: unknown[] = [];
    for await (const answer of call) answers.push(answer);

    const text = JSON.stringify(answers);
    for (const name of [
      "runtime.CellService",
      "runtime.Pods",
      "runtime.Instances",
      "runtime.Spawn",
    ])
      assert.ok(text.includes(`"${name}"`));
  });
}
