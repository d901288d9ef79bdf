import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { allNamespaces, flag, newPid, Reader, readFailure, type } from "./frames.ts";
import { Cell, isAlive, skip, turn, useNode } from "./rig.ts";

const reason = { exited: 1, signaled: 2, oom: 3, aborted: 5 } as const;
const all = flag.exited | flag.empty | flag.closed;
suite("cells", { skip }, () => {
  const node = useNode();

  test("ENCLOSE makes a cell with namespaces, a host name and cgroups of its own", async () => {
    await using cell = await Cell.open(node());

    const { run } = await cell.sh(
      "a",
      "hostname; cat /proc/self/cgroup; echo $$; cat /proc/1/comm /proc/1/cmdline; echo",
    );
    await cell.connection.run(run, all);

    const lines = cell.log("a", run).split("\n");
    assert.equal(lines[0], "stdout F web");
    assert.ok(lines.includes("stdout F 0::/x-a"), cell.log("a", run));
    assert.ok(lines.includes("stdout F 2"));
    assert.ok(lines.includes("stdout F aurae-init"));
    assert.match(cell.log("a", run), /stdout F aurae-init\0+\n/);
  });

  test("ENCLOSE of a directory that is not there says so and leaves nothing", async () => {
    const cell = node().cell();
    cell.groups[0] = { roles: 4, path: "/sys/fs/cgroup/nowhere" };

    const answer = await cell.enclose();
    await cell.connection.end();

    assert.deepEqual(readFailure(answer), { errno: 2, step: "cgroup" });
    cell.groups.shift();
    await cell[Symbol.asyncDispose]();
  });

  test("ENCLOSE refuses a parent that is another process by now", async () => {
    await using parent = await Cell.open(node());
    parent.initStart += 1n;
    const cell = node().cell(parent);

    const answer = await cell.enclose();

    assert.deepEqual(readFailure(answer), { errno: 3, step: "parent" });
    await cell[Symbol.asyncDispose]();
  });

  test("root in a cell can neither trace its init nor write to its cgroups (fault 47)", async () => {
    await using cell = await Cell.open(node());

    const { run } = await cell.sh(
      "a",
      "cat /proc/1/environ; echo 1 > /sys/fs/cgroup/unified/cgroup.procs; kill -9 1; echo end",
    );
    await cell.connection.run(run, all);

    const log = cell.log("a", run);
    assert.match(log, /environ: Permission denied/);
    assert.match(log, /Read-only file system/);
    assert.match(log, /stdout F end/);
  });

  test("a nested cell is inside its parent, and dies with the parent's init", async () => {
    await using parent = await Cell.open(node());
    await using child = await Cell.open(node(), allNamespaces, parent);
    const { run } = await child.sh("a", "echo up; sleep 100");
    await child.says("a", run, "up");
    const seen = await parent.sh("ps", "ps -e -o args=");
    await parent.connection.run(seen.run, all);

    process.kill(parent.init, "SIGKILL");
    const end = await child.connection.run(run, all);

    assert.match(parent.log("ps", seen.run), /sleep 100/);
    assert.deepEqual([end.how, end.status], [2, 9]);
    await child.connection.take("INIT_DIED", (frame) => frame.type === type.initDied);
  });

  test("where PIDs are shared the supervisor reaps the orphans, and END ends them", async () => {
    await using cell = await Cell.open(node(), allNamespaces & ~newPid);
    const script = "(sleep 0.01; exit 1) & (setsid sleep 100; :) & echo up; exec sleep 100";
    const { run, pid } = await cell.sh("a", script);
    await cell.says("a", run, "up");
    const pids = readFileSync(`${cell.groups[0]?.path}/x-a/cgroup.procs`, "utf8")
      .trim()
      .split("\n");

    const ended = await cell.end(0);

    assert.equal(ended.type, type.ended);
    assert.ok(pids.includes(`${pid}`) && pids.length > 1);
    assert.deepEqual(
      pids.filter((each) => existsSync(`/proc/${each}`)),
      [],
    );
  });

  test("an init that dies takes the runs along, and START is refused from then on (fault 10)", async () => {
    await using cell = await Cell.open(node());
    const { run } = await cell.sh("a", "sleep 100");

    process.kill(cell.init, "SIGKILL");
    const died = await cell.connection.take("INIT_DIED", (frame) => frame.type === type.initDied);
    const end = await cell.connection.run(run, all);
    const { answer } = await cell.start("b", { argv: ["/bin/true"] });
    const state = new Reader((await cell.connection.ask(type.state, Buffer.alloc(0))).payload);

    assert.deepEqual([...died.payload], [2, 9, 0, 0, 0]);
    assert.deepEqual([end.how, end.status, end.reason], [2, 9, reason.signaled]);
    assert.deepEqual(readFailure(answer), { errno: 3, step: "enter" });
    assert.deepEqual([state.i32(), state.u64() > 0n, state.i32()], [cell.supervisor, true, 0]);
  });

  test("a supervisor that is killed takes the whole cell along (fault 8)", async () => {
    const cell = await Cell.open(node());
    const { pid } = await cell.sh("a", "sleep 100");

    process.kill(cell.supervisor, "SIGKILL");
    await cell.connection.end();

    while (isAlive(pid) || isAlive(cell.init)) await turn();
    while (existsSync(`/proc/${cell.init}`)) await turn();
    await cell[Symbol.asyncDispose]();
  });
});
