import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { allNamespaces, type Frame, flag, readFailure, readRecord, type } from "./frames.ts";
import { Cell, skip, useNode } from "./rig.ts";

const reason = { exited: 1, signaled: 2, oom: 3, aborted: 5 } as const;
const all = flag.exited | flag.empty | flag.closed;
function failed(frame: Frame): string {
  assert.equal(frame.type, type.failed);
  return readFailure(frame).step;
}

suite("runs", { skip }, () => {
  const node = useNode();

  test("a run tells its exit code, its usage and that it is complete", async () => {
    await using cell = await Cell.open(node());

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
    await using cell = await Cell.open(node());

    for (const signal of [9, 11, 15, 64]) {
      const { run } = await cell.sh("a", `kill -${signal} $$`);
      const end = await cell.connection.run(run, all);
      assert.deepEqual([end.how, end.status, end.reason], [2, signal, reason.signaled]);
    }
  });

  test("START says which errno exec had, and leaves neither process nor log", async () => {
    await using cell = await Cell.open(node());
    writeFileSync(join(node().directory, "noexec"), "\x7fELF nonsense", { mode: 0o755 });
    const cases = [
      ["/nonexistent", 2],
      ["nonexistent", 2],
      ["/etc/passwd", 13],
      [join(node().directory, "noexec"), 8],
    ] as const;

    for (const [program, errno] of cases) {
      const { answer } = await cell.start("a", { argv: [program] });
      assert.deepEqual(readFailure(answer), { errno, step: "exec" }, program);
    }

    assert.deepEqual(readdirSync(join(cell.logs, "a")), []);
    assert.deepEqual(readFileSync(`${cell.groups[0]?.path}/x-a/cgroup.procs`, "utf8"), "");
  });

  test("START that cannot join its cgroups leaves no descriptor behind", async () => {
    await using cell = await Cell.open(node());
    function descriptors(): number {
      return readdirSync(`/proc/${cell.supervisor}/fd`).length;
    }
    const before = descriptors();

    const { answer } = await cell.startPrepared("missing", { argv: ["/bin/true"] });

    assert.deepEqual(readFailure(answer), { errno: 2, step: "cgroup" });
    assert.equal(descriptors(), before);
  });

  test("START finds a program by the PATH it is given, and no other variable is there", async () => {
    await using cell = await Cell.open(node());

    const { run } = await cell.start("a", { argv: ["env"], environment: ["PATH=/usr/bin", "A=b"] });
    await cell.connection.run(run, all);

    assert.equal(cell.log("a", run), "stdout F PATH=/usr/bin\nstdout F A=b\n");
  });

  test("START refuses a working directory that is not there, and -1 as a user", async () => {
    await using cell = await Cell.open(node());

    const there = await cell.start("a", { argv: ["/bin/true"], directory: "/nonexistent" });
    const root = await cell.start("a", { argv: ["/bin/true"], uid: 0xffffffff });

    assert.deepEqual(readFailure(there.answer), { errno: 2, step: "chdir" });
    assert.equal(failed(root.answer), "identity");
  });

  test("an executable has its identity, three descriptors, and nothing of ours", async () => {
    await using cell = await Cell.open(node());
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
    ]);
  });

  test("both channels come into one log, and a last line without newline is a part", async () => {
    await using cell = await Cell.open(node());

    const { run } = await cell.sh(
      "a",
      "echo out; sleep 0.01; echo err >&2; sleep 0.01; printf end",
    );
    await cell.connection.run(run, all);

    assert.equal(cell.log("a", run), "stdout F out\nstderr F err\nstdout P end\n");
  });

  test("a flood is logged whole, its memory is given back, and STATE is answered meanwhile", async () => {
    await using cell = node().cell();
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

  test("many starts at once all end, and each says how", async () => {
    await using cell = await Cell.open(node());

    const runs = await Promise.all(
      Array.from({ length: 64 }, (_, i) => cell.sh(`e${i}`, `exit ${i}`)),
    );

    for (const [i, { run }] of runs.entries())
      assert.equal((await cell.connection.run(run, all)).status, i);
  });

  test("out of memory is the reason when the kernel says so", async (t) => {
    await using cell = await Cell.open(node());
    const memory = cell.groups.find((group) => (group.roles & 9) === 8);
    if (!memory) return t.skip("no v1 memory controller");
    writeFileSync(join(memory.path, "memory.limit_in_bytes"), `${32 << 20}`);

    const { run } = await cell.start("a", { argv: ["/usr/bin/tail", "/dev/zero"] });
    const end = await cell.connection.run(run, all);

    assert.deepEqual([end.how, end.status, end.reason], [2, 9, reason.oom]);
    return assert.ok((end.usage.get(5) ?? 0n) > 0n);
  });
});
