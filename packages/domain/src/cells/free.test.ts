import assert from "node:assert/strict";
import { test } from "node:test";
import type { CellName } from "./cell-name.ts";
import { setUpCells } from "./testing.ts";

const { signal } = new AbortController();
const web = "web" as CellName;

test("free() called twice at once ends the cell once", async () => {
  const { cells, host, allocate } = setUpCells();
  await allocate("web");

  await Promise.all([cells.free(web, 0, signal), cells.free(web, 0, signal)]);

  assert.deepEqual(host.log, ["enclose web", "end web"]);
  await assert.rejects(cells.free(web, 0, signal), { reason: "CELL_NOT_FOUND" });
});

test("free() ends children before their parent", async () => {
  const { cells, host, allocate } = setUpCells();
  for (const name of ["web", "web/a", "web/a/b"]) await allocate(name);

  await cells.free(web, 0, signal);

  assert.deepEqual(host.log.slice(3), ["end web/a/b", "end web/a", "end web"]);
});

test("free() refuses starts and children from its first moment", async () => {
  const { cells, host, allocate, start } = setUpCells();
  await allocate("web");

  const freed = cells.free(web, 0, signal);
  const refused = [start("exit 0"), allocate("web/a")];

  for (const each of refused) await assert.rejects(each, { reason: "CELL_STATE" });
  await freed;
  // The cell refuses by itself: the host is not even asked.
  assert.deepEqual(host.log, ["enclose web", "end web"]);
});

test("free() of a cell that is being allocated waits for it, then ends it", async () => {
  const { cells, host, allocate } = setUpCells();

  await Promise.all([allocate("web"), cells.free(web, 0, signal)]);

  assert.deepEqual(host.log, ["enclose web", "end web"]);
});

test("free() that the host fails leaves a failed cell with the reason, and can be tried again", async () => {
  const { cells, host, allocate, start } = setUpCells();
  await allocate("web");
  host.failOn = "end web";

  await assert.rejects(cells.free(web, 0, signal), { kind: "host" });

  const { state } = cells.get(web);
  assert.match(state.kind === "failed" ? state.why : state.kind, /^it could not be freed: .*asked/);
  await assert.rejects(start("exit 0"), { reason: "CELL_FAILED" });
  await cells.free(web, 0, signal);
});

test("free() whose child the host fails leaves the parent as it was", async () => {
  const { cells, host, allocate } = setUpCells();
  for (const name of ["web", "web/a"]) await allocate(name);
  host.failOn = "end web/a";

  await assert.rejects(cells.free(web, 0, signal), { kind: "host" });

  const kinds = [web, "web/a" as CellName].map((name) => cells.get(name).state.kind);
  assert.deepEqual(kinds, ["allocated", "failed"]);
});

test("free() with a nearer deadline hurries the first, one that is no nearer does not", async () => {
  const { cells, host, allocate } = setUpCells();
  for (const name of ["web", "web/a"]) await allocate(name);
  const [parent, child] = [...host.enclosures.values()];
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  host.note = () => {
    ask();
    return held;
  };

  const first = cells.free(web, 60_000, signal);
  await asked;
  const others = [1000, 90_000].map((graceMs) => cells.free(web, graceMs, signal));
  letGo();
  await Promise.all([first, ...others]);

  assert.deepEqual([child?.graces, parent?.graces], [[60_000, 1000], [1000]]);
});

test("free() that was hurried succeeds though the host refuses the first call", async () => {
  const { cells, host, allocate } = setUpCells();
  await allocate("web");
  const [enclosure] = host.enclosures.values();
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise: askedAgain, resolve: askAgain } = Promise.withResolvers<void>();
  host.note = async () => {
    if (enclosure?.graces.length === 2) return askAgain();
    ask();
    await askedAgain;
    throw new Error("another call has taken its place");
  };

  const first = cells.free(web, 60_000, signal);
  await asked;
  await Promise.all([first, cells.free(web, 0, signal)]);

  assert.deepEqual(cells.list(undefined), []);
});

test("freeAll() waits for every cell, and tells those that failed", async () => {
  const { cells, host, allocate } = setUpCells();
  for (const name of ["bad", "good"]) await allocate(name);
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const { promise: badEnded, resolve: endBad } = Promise.withResolvers<void>();
  host.note = async (call) => {
    host.log.push(call);
    if (call === "end good") return held;
    endBad();
    throw new Error("asked to fail");
  };

  const freed = cells.freeAll(0);
  await badEnded;
  letGo();

  const failed = await freed;
  assert.deepEqual(
    failed.map(({ cell }) => cell),
    ["bad"],
  );
  assert.deepEqual(
    cells.list(undefined).map(({ name }) => name),
    ["bad"],
  );
});
