import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { flag, readFailure, type } from "./frames.ts";
import { Cell, Node, skip, turn } from "./rig.ts";

const aborted = 5;
const all = flag.exited | flag.empty | flag.closed;
const freezer = 32;

/** The version 1 freezer of a directory in a cell. */
function freezerOf(cell: Cell, directory: string): string | undefined {
  const group = cell.groups.find(({ roles }) => (roles & freezer) !== 0);
  return group && join(group.path, directory, "freezer.state");
}

/** It takes a moment, and no event tells of it. */
async function set(file: string, state: "FROZEN" | "THAWED"): Promise<void> {
  writeFileSync(file, state);
  while (readFileSync(file, "utf8") !== `${state}\n`) await turn();
}

suite("frozen processes", { skip }, () => {
  for (const version of ["v1", "all"] as const)
    test(`STOP ends what the freezer of version 1 holds, mounts: ${version} (fault 39)`, async (t) => {
      await using node = await Node.start(version);
      await using cell = await Cell.open(node);
      const file = freezerOf(cell, "x-a");
      if (file === undefined) return t.skip("no v1 freezer");
      const { run } = await cell.sh("a", "trap '' TERM; sleep 1000 & echo up; wait; sleep 1000");
      await cell.says("a", run, "up");
      await set(file, "FROZEN");

      const answer = await cell.stop(run, 20);

      assert.equal(answer.type, type.stopped);
      return assert.equal((await cell.connection.run(run, all)).reason, aborted);
    });

  test("END ends a cell that is frozen whole (fault 39)", async (t) => {
    await using node = await Node.start();
    await using cell = await Cell.open(node);
    const file = freezerOf(cell, ".");
    if (file === undefined) return t.skip("no v1 freezer");
    const { run } = await cell.sh("a", "echo up; sleep 1000");
    await cell.says("a", run, "up");
    await set(file, "FROZEN");

    const answer = await cell.end(20);

    assert.equal(answer.type, type.ended);
    return assert.equal((await cell.connection.run(run, all)).reason, aborted);
  });

  test("STOP asked again kills again: what was frozen around it is thawed since (fault 40)", async (t) => {
    await using node = await Node.start();
    await using cell = await Cell.open(node);
    const [outer, inner] = [freezerOf(cell, "."), freezerOf(cell, "x-a")];
    if (outer === undefined || inner === undefined) return t.skip("no v1 freezer");
    const { run } = await cell.sh("a", "echo up; sleep 1000");
    await cell.says("a", run, "up");
    await set(outer, "FROZEN");

    const first = cell.stop(run, 0);
    // Between the answers it has looked at its deadlines, and so has killed.
    for (let i = 0; i < 2; i++) await cell.connection.ask(type.state, Buffer.alloc(0));
    writeFileSync(inner, "FROZEN");
    writeFileSync(outer, "THAWED");
    const second = await cell.stop(run, 0);

    assert.deepEqual(readFailure(await first), { errno: 125, step: "stop" });
    return assert.equal(second.type, type.stopped);
  });
});
