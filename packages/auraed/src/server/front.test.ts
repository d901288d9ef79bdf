import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import {
  Health,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "@aurae/api/health";
import { Observe } from "@aurae/api/observe";
import { CellService } from "@aurae/api/runtime";
import type { ExecutableName } from "@aurae/domain/cells";
import { createAuthority } from "@aurae/pki";
import { status } from "@grpc/grpc-js";
import { readTlsFiles } from "../access/tls-files.ts";
import { collect, NodeUnderTest } from "./testing.ts";

const { allocate, list, start, wait } = CellService.method;

async function setUp() {
  const node = await NodeUnderTest.start();
  const client = await node.connect();
  await client.call(allocate, { cell: { name: "web" } });
  return { node, client, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() };
}

test("close() ends waits and streams as UNAVAILABLE at once, and removes the socket", async () => {
  await using setting = await setUp();
  const { node, client } = setting;
  const executable = { cellName: "web", name: "server", command: "sleep 1" };
  await client.call(start, { executable });
  node.store.key = { cellId: "0", executable: "server" as ExecutableName, run: 1 };
  const stream = client.stream(Observe.method.getSubProcessStream, { processId: 7n });
  const streamed = assert.rejects(collect(stream), { code: status.UNAVAILABLE });
  await once(stream, "metadata");
  const waiting = client.call(wait, { cellName: "web" });
  const waited = assert.rejects(waiting, { code: status.UNAVAILABLE });
  // Answered after the wait has begun, for one connection keeps the order.
  await client.call(list, {});

  await node.front.close(AbortSignal.timeout(10_000));

  await Promise.all([streamed, waited]);
  assert.equal(existsSync(node.socket), false);
});

test("close() lets a call that has begun finish", async () => {
  await using setting = await setUp();
  const { node, client } = setting;
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  node.host.note = (call) => {
    node.host.log.push(call);
    begin();
    return held;
  };
  const answer = client.call(allocate, { cell: { name: "late" } });
  await begun;

  const closed = node.front.close(AbortSignal.timeout(10_000));
  letGo();

  assert.equal((await answer).cellName, "late");
  await closed;
});

test("close() cuts off what is not done in time", async () => {
  await using setting = await setUp();
  const { node, client } = setting;
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  node.host.note = () => {
    begin();
    return new Promise(() => undefined);
  };
  const answer = client.call(allocate, { cell: { name: "stuck" } });
  const cut = assert.rejects(answer);
  await begun;

  await node.front.close(AbortSignal.abort());

  await cut;
});

test("health says SERVING, and NOT_SERVING when the daemon stops", async () => {
  await using setting = await setUp();
  const { node, client } = setting;
  const { check, watch } = Health.method;
  const watched = client.stream(watch, { service: "observe.Observe" });
  const [first] = (await once(watched, "data")) as [HealthCheckResponse];

  for (const service of ["", "runtime.CellService", "observe.Observe"]) {
    const answer = await client.call(check, { service });
    assert.equal(answer.status, ServingStatus.SERVING);
  }
  const unknown = client.call(check, { service: "runtime.Pods" });
  await assert.rejects(unknown, { code: status.NOT_FOUND });
  const closed = node.front.close(AbortSignal.timeout(10_000));
  watched.on("error", () => undefined);
  const [last] = (await once(watched, "data")) as [HealthCheckResponse];

  assert.deepEqual([first.status, last.status], [ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
  await closed;
});

test("health says NOT_SERVING of cells while no new work is taken, and SERVING again (fault 25)", async () => {
  await using setting = await setUp();
  const { node, client } = setting;
  const { check, watch } = Health.method;
  const watched = client.stream(watch, { service: "runtime.CellService" });
  watched.on("error", () => undefined);
  const said = [(await once(watched, "data")) as [HealthCheckResponse]];

  node.readiness.set("the disk failed");
  said.push((await once(watched, "data")) as [HealthCheckResponse]);
  const ofLogs = await client.call(check, { service: "observe.Observe" });
  node.readiness.set(undefined);
  said.push((await once(watched, "data")) as [HealthCheckResponse]);

  const { SERVING, NOT_SERVING } = ServingStatus;
  assert.deepEqual(
    said.map(([response]) => response.status),
    [SERVING, NOT_SERVING, SERVING],
  );
  assert.equal(ofLogs.status, SERVING);
});

test("reload() serves new connections with the new certificates, and keeps the open ones", async () => {
  await using setting = await setUp();
  const { node, client } = setting;
  const other = await createAuthority();
  await node.writeServer(other);

  node.front.reload(readTlsFiles(node.paths));

  await client.call(list, {});
  const late = await node.connect();
  await assert.rejects(late.call(list, {}), { code: status.UNAVAILABLE });
});

test("a broken set of certificates is refused before it is used (fault 94)", async () => {
  await using setting = await setUp();
  const { node } = setting;
  await writeFile(node.paths.serverCrt, "half a certif");

  assert.throws(() => readTlsFiles(node.paths), /server\.crt: it is not a certificate in PEM/);

  const late = await node.connect();
  await late.call(list, {});
});
