import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import {
  allNamespaces,
  build,
  Cell,
  Connection,
  type Frame,
  flag,
  Node,
  newPid,
  Reader,
  readFailure,
  readRecord,
  type,
  Writer,
} from "./rig.ts";

const all = flag.exited | flag.empty | flag.closed;
const reason = { exited: 1, signaled: 2, oom: 3, aborted: 5 } as const;
const skip = process.getuid?.() === 0 ? false : "needs root";

/** Every process that sits in a cgroup of this test. */
function leftovers(node: Node): string[] {
  const found: string[] = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const groups = readFileSync(`/proc/${pid}/cgroup`, "utf8");
      if (groups.includes(node.name)) found.push(pid);
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

function alive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function failed(frame: Frame): string {
  assert.equal(frame.type, type.failed);
  return readFailure(frame).step;
}

suite("the cell shim on a real kernel", { skip }, () => {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  let node: Node;

  before(async () => {
    node = await Node.start();
  });
  after(async () => {
    await node[Symbol.asyncDispose]();
    assert.deepEqual(leftovers(node), []);
    assert.equal(readFileSync("/proc/self/mountinfo", "utf8"), mounts);
  });

  test("ENCLOSE makes a cell with namespaces, a host name and cgroups of its own", async () => {
    await using cell = await Cell.open(node);

    const { run } = await cell.sh(
      "a",
      "hostname; cat /proc/self/cgroup; echo $$; cat /proc/1/comm",
    );
    await cell.connection.run(run, all);

    const lines = cell.log("a", run).split("\n");
    assert.equal(lines[0], "stdout F web");
    assert.ok(lines.includes("stdout F 0::/x-a"), cell.log("a", run));
    assert.ok(lines.includes("stdout F 2"));
    assert.ok(lines.includes("stdout F aurae-init"));
  });

  test("ENCLOSE of a directory that is not there says so and leaves nothing", async () => {
    const cell = node.cell();
    cell.groups[0] = { roles: 4, path: "/sys/fs/cgroup/nowhere" };

    const answer = await cell.enclose();
    await cell.connection.end();

    assert.deepEqual(readFailure(answer), { errno: 2, step: "cgroup" });
    cell.groups.shift();
    await cell[Symbol.asyncDispose]();
  });

  test("ENCLOSE refuses a parent that is another process by now", async () => {
    await using parent = await Cell.open(node);
    parent.initStart += 1n;
    const cell = node.cell(parent);

    const answer = await cell.enclose();

    assert.deepEqual(readFailure(answer), { errno: 3, step: "parent" });
    await cell[Symbol.asyncDispose]();
  });

  test("a run tells its exit code, its usage and that it is complete", async () => {
    await using cell = await Cell.open(node);

    const { run, answer } = await cell.start("a", { argv: ["/bin/sh", "-c", "exit 42"] });
    const end = await cell.connection.run(run, all);

    assert.equal(answer.type, type.started);
    assert.deepEqual([end.how, end.status, end.reason], [1, 42, reason.exited]);
    assert.ok(end.endedAt >= end.startedAt);
    assert.ok((end.usage.get(3) ?? 0n) > 0n, "CPU time");
    const file = readFileSync(join(cell.directory, "runs", `${run}`));
    assert.deepEqual(readRecord(end.flags, file.subarray(16)), end);
  });

  test("a run tells the signal that ended it", async () => {
    await using cell = await Cell.open(node);

    for (const signal of [9, 11, 15, 64]) {
      const { run } = await cell.sh("a", `kill -${signal} $$`);
      const end = await cell.connection.run(run, all);
      assert.deepEqual([end.how, end.status, end.reason], [2, signal, reason.signaled]);
    }
  });

  test("SIGNAL reaches the main process alone", async () => {
    await using cell = await Cell.open(node);
    const { run } = await cell.sh(
      "a",
      "trap 'echo got; exit 5' USR1; echo up; while :; do sleep 1; done",
    );
    await cell.says("a", run, "up");

    const answer = await cell.connection.ask(type.signal, new Writer().u64(run).u32(10).bytes());

    assert.equal(answer.type, type.done);
    assert.equal((await cell.connection.run(run, flag.exited)).status, 5);
    await cell.stop(run, 0);
  });

  test("START says which errno exec had, and leaves neither process nor log", async () => {
    await using cell = await Cell.open(node);
    writeFileSync(join(node.directory, "noexec"), "\x7fELF nonsense", { mode: 0o755 });
    const cases = [
      ["/nonexistent", 2],
      ["nonexistent", 2],
      ["/etc/passwd", 13],
      [join(node.directory, "noexec"), 8],
    ] as const;

    for (const [program, errno] of cases) {
      const { answer } = await cell.start("a", { argv: [program] });
      assert.deepEqual(readFailure(answer), { errno, step: "exec" }, program);
    }

    assert.deepEqual(readdirSync(join(cell.logs, "a")), []);
    assert.deepEqual(readFileSync(`${cell.groups[0]?.path}/x-a/cgroup.procs`, "utf8"), "");
  });

  test("START finds a program by the PATH it is given, and no other variable is there", async () => {
    await using cell = await Cell.open(node);

    const { run } = await cell.start("a", { argv: ["env"], environment: ["PATH=/usr/bin", "A=b"] });
    await cell.connection.run(run, all);

    assert.equal(cell.log("a", run), "stdout F PATH=/usr/bin\nstdout F A=b\n");
  });

  test("START refuses a working directory that is not there, and -1 as a user", async () => {
    await using cell = await Cell.open(node);

    const there = await cell.start("a", { argv: ["/bin/true"], directory: "/nonexistent" });
    const root = await cell.start("a", { argv: ["/bin/true"], uid: 0xffffffff });

    assert.deepEqual(readFailure(there.answer), { errno: 2, step: "chdir" });
    assert.equal(failed(root.answer), "identity");
  });

  test("an executable has its identity, three descriptors, and nothing of ours", async () => {
    await using cell = await Cell.open(node);
    const script =
      "id -u; id -g; id -G; pwd; umask; ulimit -n; ls /proc/self/fd; grep -E 'Cap|NoNew|SigIgn|SigBlk' /proc/self/status";

    const start = { argv: ["/bin/sh", "-c", script], directory: "/tmp", uid: 1000, gid: 1001 };
    const { run } = await cell.start("a", start);
    await cell.connection.run(run, all);

    const zero = "0000000000000000";
    assert.deepEqual(cell.log("a", run).replaceAll("stdout F ", "").trim().split("\n"), [
      "1000",
      "1001",
      "1001",
      "/tmp",
      "0022",
      "1024",
      "0",
      "1",
      "2",
      "3",
      `SigBlk:\t${zero}`,
      `SigIgn:\t${zero}`,
      `CapInh:\t${zero}`,
      `CapPrm:\t${zero}`,
      `CapEff:\t${zero}`,
      "CapBnd:\t00000000a00405fb",
      `CapAmb:\t${zero}`,
      "NoNewPrivs:\t1",
    ]); // prettier-ignore
  });

  test("root in a cell can neither trace its init nor write to its cgroups", async () => {
    await using cell = await Cell.open(node);

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

  test("both channels come into one log, and a last line without newline is a part", async () => {
    await using cell = await Cell.open(node);

    const { run } = await cell.sh(
      "a",
      "echo out; sleep 0.01; echo err >&2; sleep 0.01; printf end",
    );
    await cell.connection.run(run, all);

    assert.equal(cell.log("a", run), "stdout F out\nstderr F err\nstdout P end\n");
  });

  test("a flood is logged whole, its memory is given back, and STATE is answered meanwhile", async () => {
    await using cell = node.cell();
    await cell.enclose(allNamespaces, 1n << 20n, 64);

    const { run } = await cell.sh("a", "seq 200000; sleep 0.3; echo 200001");
    await cell.connection.ask(type.state, Buffer.alloc(0));
    await cell.connection.run(run, all);

    const segments = readdirSync(join(cell.logs, "a")).length;
    let text = cell.log("a", run);
    for (let i = 1; i < segments; i++) text += cell.log("a", run, `.${i}`);
    const expected = Array.from({ length: 200001 }, (_, i) => `stdout F ${i + 1}\n`).join("");
    assert.ok(segments > 2 && text === expected);
  });

  test("STOP ends the tree at SIGTERM", async () => {
    await using cell = await Cell.open(node);
    const { run } = await cell.sh("a", "sleep 100 & sleep 100 & echo up; wait");
    await cell.says("a", run, "up");

    const answer = await cell.stop(run, 60000);

    assert.equal(answer.type, type.stopped);
    assert.equal((await cell.connection.run(run, all)).reason, reason.aborted);
  });

  test("STOP kills what ignores SIGTERM when the grace has passed", async () => {
    await using cell = await Cell.open(node);
    const { run } = await cell.sh("a", "trap '' TERM; echo up; while :; do sleep 1; done");
    await cell.says("a", run, "up");

    await cell.stop(run, 20);

    const end = await cell.connection.run(run, all);
    assert.deepEqual([end.how, end.status, end.reason], [2, 9, reason.aborted]);
  });

  test("a second STOP takes the place of the first and shortens the grace", async () => {
    await using cell = await Cell.open(node);
    const { run } = await cell.sh("a", "trap '' TERM; echo up; while :; do sleep 1; done");
    await cell.says("a", run, "up");

    const [first, second] = await Promise.all([cell.stop(run, 1e6), cell.stop(run, 0)]);

    assert.deepEqual(readFailure(first), { errno: 125, step: "stop" });
    assert.equal(second.type, type.stopped);
  });

  test("a daemonised child outlives its parent, holds the log open, and ends with STOP", async () => {
    await using cell = await Cell.open(node);
    const { run } = await cell.sh("a", "setsid sleep 100 & exit 0");
    const exit = await cell.connection.run(run, flag.exited);

    const answer = await cell.stop(run, 60000);

    assert.deepEqual([exit.flags, exit.reason], [flag.exited, reason.exited]);
    assert.equal(answer.type, type.stopped);
    assert.equal((await cell.connection.run(run, all)).reason, reason.exited);
  });

  test("STOP and SIGNAL of a run that is not there say so", async () => {
    await using cell = await Cell.open(node);

    const signal = await cell.connection.ask(type.signal, new Writer().u64(9n).u32(9).bytes());

    assert.equal(failed(await cell.stop(9n, 0)), "run");
    assert.equal(failed(signal), "run");
  });

  test("requests may be pipelined: STOP of a run that is on its way in", async () => {
    await using cell = await Cell.open(node);

    const started = cell.start("a", { argv: ["/bin/sleep", "100"] });
    const stopped = cell.stop(1n, 60000);

    assert.equal((await started).answer.type, type.started);
    assert.equal((await stopped).type, type.stopped);
  });

  test("many starts at once all end, and each says how", async () => {
    await using cell = await Cell.open(node);

    const runs = await Promise.all(
      Array.from({ length: 64 }, (_, i) => cell.sh(`e${i}`, `exit ${i}`)),
    );

    for (const [i, { run }] of runs.entries())
      assert.equal((await cell.connection.run(run, all)).status, i);
  });

  test("out of memory is the reason when the kernel says so", async (t) => {
    await using cell = await Cell.open(node);
    const memory = cell.groups.find((group) => (group.roles & 9) === 8);
    if (!memory) return t.skip("no v1 memory controller");
    writeFileSync(join(memory.path, "memory.limit_in_bytes"), `${32 << 20}`);

    const { run } = await cell.start("a", { argv: ["/usr/bin/tail", "/dev/zero"] });
    const end = await cell.connection.run(run, all);

    assert.deepEqual([end.how, end.status, end.reason], [2, 9, reason.oom]);
    return assert.ok((end.usage.get(5) ?? 0n) > 0n);
  });

  test("a nested cell is inside its parent, and dies with the parent's init", async () => {
    await using parent = await Cell.open(node);
    await using child = await Cell.open(node, allNamespaces, parent);
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
    await using cell = await Cell.open(node, allNamespaces & ~newPid);
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

  test("an init that dies takes the runs along, and START is refused from then on", async () => {
    await using cell = await Cell.open(node);
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

  test("a supervisor that is killed takes the whole cell along", async () => {
    const cell = await Cell.open(node);
    const { pid } = await cell.sh("a", "sleep 100");

    process.kill(cell.supervisor, "SIGKILL");
    await cell.connection.end();

    while (alive(pid) || alive(cell.init)) await new Promise((turn) => setImmediate(turn));
    while (existsSync(`/proc/${cell.init}`)) await new Promise((turn) => setImmediate(turn));
    await cell[Symbol.asyncDispose]();
  });

  test("END stops the runs within its grace, refuses starts, and removes the socket", async () => {
    await using cell = await Cell.open(node);
    const { run } = await cell.sh("a", "trap '' TERM; echo up; while :; do sleep 1; done");
    await cell.says("a", run, "up");

    const ended = cell.end(50);
    const { answer } = await cell.start("b", { argv: ["/bin/true"] });

    assert.equal(failed(answer), "ended");
    assert.equal((await ended).type, type.ended);
    assert.equal((await cell.connection.run(run, all)).reason, reason.aborted);
    assert.equal(existsSync(join(cell.directory, "s.sock")), false);
  });

  test("a new connection takes the place of the old, and STATE tells the open runs", async () => {
    await using cell = await Cell.open(node);
    const { run } = await cell.sh("a", "sleep 100");
    const old = cell.connection;

    await cell.reconnect();
    await old.end();
    const state = new Reader((await cell.connection.ask(type.state, Buffer.alloc(0))).payload);

    assert.deepEqual(
      [state.i32(), state.u64() > 0n, state.i32()],
      [cell.supervisor, true, cell.init],
    );
    assert.deepEqual([state.u64(), state.u32(), state.u8()], [cell.initStart, 1, 0]);
    assert.equal(readRecord(0, state.bytes()).run, run);
    assert.equal(statSync(join(cell.directory, "s.sock")).mode & 0o777, 0o600);
  });

  test("a hello of another cell is refused and the connection stays", async () => {
    await using cell = await Cell.open(node);

    await using other = new Connection(join(cell.directory, "s.sock"));
    other.hello("ffffffffffffffff");
    await other.end();

    assert.equal((await cell.connection.ask(type.state, Buffer.alloc(0))).type, type.stateIs);
  });

  test("bad frames close the connection and change nothing", async () => {
    await using cell = await Cell.open(node);
    const stop = new Writer().u64(1n).u32(15).u32(0).bytes();
    const bad: [number, number, Buffer][] = [
      [99, 1, Buffer.alloc(0)],
      [type.state, 0, Buffer.alloc(0)],
      [type.state, 1, Buffer.alloc(1)],
      [type.stop, 1, stop.subarray(1)],
      [type.enclose, 1, Buffer.alloc(0)],
      [
        type.start,
        1,
        new Writer().u64(1n).text("../x").u32(1).text("a").u32(0).text("/").u64(0n).bytes(),
      ],
      [type.start, 1, new Writer().u64(1n).text("x").u32(0xffffffff).bytes()],
    ];

    for (const [kind, request, payload] of bad) {
      cell.connection.sendRaw(kind, request, payload);
      await cell.connection.end();
      await cell.reconnect();
    }
    cell.connection.socket.write(Buffer.from("ffffffff00000000", "hex"));
    cell.connection.socket.write(Buffer.alloc(2));
    await cell.connection.end();
    await cell.reconnect();
  });

  test("a run that ends while nobody is connected leaves its record and its log", async () => {
    await using cell = await Cell.open(node);
    const { run, pid } = await cell.sh(
      "a",
      "read line < /tmp/nothing; sleep 0.05; echo late; exit 7",
    );

    cell.connection.socket.destroy();
    while (existsSync(`/proc/${pid}`)) await new Promise((turn) => setImmediate(turn));
    await cell.reconnect();

    const file = readFileSync(join(cell.directory, "runs", `${run}`));
    assert.equal(readRecord(0, file.subarray(16)).status, 7);
    assert.match(cell.log("a", run), /late/);
  });

  test("without a v2 mount cells work too: stop, kill, leftovers, end", async () => {
    await using old = await Node.start("v1");
    await using cell = await Cell.open(old);
    const stubborn = await cell.sh(
      "a",
      "trap '' TERM; sleep 100 & echo up; while :; do sleep 1; done",
    );
    await cell.says("a", stubborn.run, "up");
    const daemon = await cell.sh("b", "setsid sleep 100 & exit 0");
    await cell.connection.run(daemon.run, flag.exited);

    assert.equal((await cell.stop(stubborn.run, 20)).type, type.stopped);
    assert.equal((await cell.stop(daemon.run, 60000)).type, type.stopped);
    assert.equal((await cell.connection.run(daemon.run, all)).reason, reason.exited);
    const last = await cell.sh("c", "sleep 100");
    assert.equal((await cell.end()).type, type.ended);
    assert.equal((await cell.connection.run(last.run, all)).reason, reason.aborted);
  });

  test("a launcher that cannot start says why in one line", async () => {
    const { spawn } = await import("node:child_process");
    const launcher = spawn(join(build, "aurae-launcher"), ["/nonexistent/socket", build]);

    const [line] = await once(launcher.stdout, "data");
    const [code] = await once(launcher, "exit");

    assert.equal(String(line), "Cannot listen on /nonexistent/socket: No such file or directory\n");
    assert.equal(code, 1);
  });

  test("a launcher without a supervisor answers FAILED", async () => {
    mkdirSync(join(node.directory, "gone"));
    await using connection = new Connection(node.socket);
    connection.hello("0".repeat(16));
    await connection.take("a hello", (frame) => frame.type === type.hello);
  });
});
