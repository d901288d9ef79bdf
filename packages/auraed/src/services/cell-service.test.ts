import assert from "node:assert/strict";
import { test } from "node:test";
import { BadRequestSchema, ErrorInfoSchema } from "@aurae/api/error-details";
import { CellService, CellState, EndReason, RunState } from "@aurae/api/runtime";
import { StatusSchema } from "@aurae/api/status";
import { Cells } from "@aurae/domain/cells";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { type ServiceError, status } from "@grpc/grpc-js";
import { NodeUnderTest } from "../server/testing.ts";

const { allocate, free, start, stop, list, wait } = CellService.method;

async function setUp(...cells: readonly string[]) {
  const node = await NodeUnderTest.start();
  const client = await node.connect();
  for (const name of cells) await client.call(allocate, { cell: { name } });
  return { node, client, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() };
}

/** What a refused call tells: its code, its reason, and the fields that were wrong. */
async function refusalOf(call: Promise<unknown>) {
  const error = await call.then(
    () => assert.fail("the call was not refused"),
    (cause: ServiceError) => cause,
  );
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  assert.ok(bytes instanceof Buffer);
  const told = fromBinary(StatusSchema, bytes);
  const info = told.details.map((any) => anyUnpack(any, ErrorInfoSchema)).find(Boolean);
  const bad = told.details.map((any) => anyUnpack(any, BadRequestSchema)).find(Boolean);
  assert.deepEqual([told.code, told.message], [error.code, error.details]);
  assert.equal(info?.domain, "aurae.io");
  const fields = bad?.fieldViolations.map(({ field }) => field) ?? [];
  return { code: error.code, reason: info?.reason, fields, metadata: info?.metadata };
}

test("Allocate answers the name and the version of cgroups", async () => {
  await using setting = await setUp();

  const answer = await setting.client.call(allocate, { cell: { name: "web", cpuShares: 100n } });

  assert.deepEqual([answer.cellName, answer.cgroupV2], ["web", false]);
  assert.deepEqual(setting.node.host.log, ["enclose web"]);
});

test("Start answers pid and run, and Wait how it ended", async () => {
  await using setting = await setUp("web");
  const executable = { cellName: "web", name: "once", command: "exit 3" };

  const started = await setting.client.call(start, { executable });
  const waited = await setting.client.call(wait, { cellName: "web", executableName: "once" });

  assert.deepEqual([started.pid, started.run], [1001n, 1n]);
  const [ended] = waited.executables;
  assert.deepEqual([ended?.state, ended?.end?.reason], [RunState.ENDED, EndReason.EXITED]);
  assert.equal(ended?.end?.exitCode, 3);
});

test("Stop tells how it ended, and tells the same again", async () => {
  await using setting = await setUp("web");
  const executable = { cellName: "web", name: "server", command: "sleep 1000" };
  await setting.client.call(start, { executable });

  const names = { cellName: "web", executableName: "server" };
  const first = await setting.client.call(stop, names);
  const second = await setting.client.call(stop, names);

  assert.deepEqual([first.end?.reason, first.end?.signal], [EndReason.ABORTED, 15]);
  assert.deepEqual(second.end, first.end);
});

test("List is the tree, sorted, with the limits that hold", async () => {
  await using setting = await setUp("b", "a", "a/y", "a/x");
  const executable = { cellName: "a", name: "server", command: "sleep 1", env: { KEY: "value" } };
  await setting.client.call(start, { executable });

  const { cells } = await setting.client.call(list, {});

  const names = cells.flatMap(({ cell, children }) => [
    cell?.name,
    ...children.map((child) => child.cell?.name),
  ]);
  assert.deepEqual(names, ["a", "a/x", "a/y", "b"]);
  assert.equal(cells[0]?.cell?.limits?.pidsMax, 1024);
  assert.equal(cells[0]?.state, CellState.ALLOCATED);
  const [server] = cells[0]?.executables ?? [];
  assert.deepEqual([server?.executable?.command, server?.pid], ["sleep 1", 1001n]);
});

test("List has no environment, and of long arguments what fits into 4 KiB", async () => {
  await using setting = await setUp("web");
  const env = { TOKEN: "x".repeat(100_000) };
  const args = ["sleep 1", "y".repeat(100_000)];
  const executable = { cellName: "web", name: "server", command: "sh", args, env };
  await setting.client.call(start, { executable });

  const { cells } = await setting.client.call(list, {});

  const [server] = cells[0]?.executables ?? [];
  assert.deepEqual(server?.executable?.env, {});
  assert.equal(server?.executable?.args[0], "sleep 1");
  assert.ok(server.executable.args.join("").length < 4096);
  assert.equal(server.executableCut, true);
});

test("List tells why a cell has failed", async () => {
  await using setting = await setUp("web");
  for (const enclosure of setting.node.host.enclosures.values()) enclosure.fail("its init is gone");

  const { cells } = await setting.client.call(list, { cellName: "web" });

  assert.deepEqual([cells[0]?.state, cells[0]?.reason], [CellState.FAILED, "its init is gone"]);
});

test("Free ends the cell, and its name is free again", async () => {
  await using setting = await setUp("web");

  await setting.client.call(free, { cellName: "web", graceMs: 0 });
  await setting.client.call(allocate, { cell: { name: "web" } });

  assert.deepEqual(setting.node.host.log, ["enclose web", "end web", "enclose web"]);
});

test("Stop with two wrong names and a wrong grace tells all three", async () => {
  await using setting = await setUp();
  const request = { cellName: "../web", executableName: "-", graceMs: 3_600_001 };

  const refused = await refusalOf(setting.client.call(stop, request));

  assert.deepEqual(refused.fields, ["cell_name", "executable_name", "grace_ms"]);
  assert.deepEqual([refused.code, refused.reason], [status.INVALID_ARGUMENT, "CELL_NAME_INVALID"]);
});

test("a request with thousands of violations is refused with those that fit", async () => {
  await using setting = await setUp();
  const labels = Object.fromEntries(
    Array.from({ length: 5000 }, (_, at) => [`É${at}\u{1F600}`, ""]),
  );

  const refused = await refusalOf(
    setting.client.call(allocate, { cell: { name: "x".repeat(100_000), labels } }),
  );

  assert.equal(refused.code, status.INVALID_ARGUMENT);
  assert.equal(refused.fields[0], "cell.name");
});

test("what is not there is NOT_FOUND, what is taken ALREADY_EXISTS", async () => {
  await using setting = await setUp("web");
  const { client } = setting;

  const missing = await refusalOf(client.call(free, { cellName: "other" }));
  const orphan = await refusalOf(client.call(allocate, { cell: { name: "other/child" } }));
  const taken = await refusalOf(client.call(allocate, { cell: { name: "web" } }));

  assert.deepEqual([missing.code, missing.reason], [status.NOT_FOUND, "CELL_NOT_FOUND"]);
  assert.deepEqual(missing.metadata, { cell: "other" });
  assert.deepEqual([orphan.code, orphan.reason], [status.NOT_FOUND, "PARENT_CELL_NOT_FOUND"]);
  assert.deepEqual([taken.code, taken.reason], [status.ALREADY_EXISTS, "CELL_EXISTS"]);
});

test("a command that is not there is FAILED_PRECONDITION", async () => {
  await using setting = await setUp("web");
  const executable = { cellName: "web", name: "gone", command: "missing" };

  const refused = await refusalOf(setting.client.call(start, { executable }));

  assert.deepEqual(
    [refused.code, refused.reason],
    [status.FAILED_PRECONDITION, "COMMAND_NOT_FOUND"],
  );
});

test("a host that fails is INTERNAL with its message, and is logged", async () => {
  await using setting = await setUp("web");
  setting.node.host.failOn = "end web";

  const refused = await refusalOf(setting.client.call(free, { cellName: "web" }));

  assert.deepEqual([refused.code, refused.reason], [status.INTERNAL, "HOST_FAILED"]);
  assert.ok(setting.node.records.some(({ msg }) => msg === "host failed"));
});

test("Wait ends when the caller has left, and the run goes on", async () => {
  await using setting = await setUp("web");
  const executable = { cellName: "web", name: "server", command: "sleep 1000" };
  await setting.client.call(start, { executable });
  const { cells: owner } = setting.node;
  const { promise: served, resolve: serve } = Promise.withResolvers<unknown>();
  owner.wait = (...asked) => {
    const waiting = Cells.prototype.wait.apply(owner, asked);
    serve(waiting);
    return waiting;
  };
  const deadline = Date.now() + 200;

  const late = setting.client.call(wait, { cellName: "web" }, { deadline });

  await assert.rejects(late, { code: status.DEADLINE_EXCEEDED });
  // The client goes by its own clock; here is what the server did.
  await assert.rejects(served, { kind: "cancelled" });
  const { cells } = await setting.client.call(list, {});
  assert.equal(cells[0]?.executables[0]?.state, RunState.RUNNING);
});
