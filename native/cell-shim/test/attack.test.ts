import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { suite, test } from "node:test";
import { flag, type } from "./frames.ts";
import { build, Cell, isAlive, skip, turn, useNode } from "./rig.ts";

const program = join(build, "attack");
const ways = ["ptrace", "mem", "pidfd_getfd", "process_vm_writev", "environ"];
const all = flag.exited | flag.empty | flag.closed;

suite("root in a cell", { skip }, () => {
  const node = useNode();

  test("outside of a cell every way to take a process over works, so a refusal in one means something", async () => {
    const victim = spawn("sleep", ["1000"]);
    const exit = once(victim, "exit");

    const told = execFileSync(program, [`${victim.pid}`], { encoding: "utf8" });

    assert.equal(told, [...ways, "kill"].map((way) => `${way} done\n`).join(""));
    assert.deepEqual(await exit, [null, "SIGSEGV"]);
  });

  test("the cell's init can be taken over in no way, and lives on (fault 47)", async () => {
    await using cell = await Cell.open(node());

    const { run } = await cell.sh("a", `exec ${program} 1`);
    await cell.connection.run(run, all);

    const told = cell.log("a", run);
    for (const way of ways) assert.match(told, new RegExp(`stdout F ${way} (EPERM|EACCES)\n`));
    // It is allowed, and the kernel lets no signal of the cell through to it.
    assert.match(told, /stdout F kill done\n/);
    assert.ok(isAlive(cell.init));
    const again = await cell.sh("b", "exit 4");
    assert.equal((await cell.connection.run(again.run, all)).status, 4);
  });

  test("who takes over a process that is being started gains nothing (fault 47)", async () => {
    await using cell = await Cell.open(node());
    const { run } = await cell.sh("a", `exec ${program} next 3`);
    await cell.says("a", run, "ready");

    // One after another, until as many were met in the moment before their exec.
    for (let i = 0; !cell.log("a", run).includes("stdout F end\n"); i++) {
      const { run: newcomer, answer } = await cell.start(`n${i % 64}`, { argv: ["/bin/true"] });
      if (answer.type === type.started) await cell.connection.run(newcomer, all);
      await turn();
    }

    const met = cell.log("a", run).replaceAll("stdout F ", "").split("aurae-stage held\n").slice(1);
    assert.equal(met.length, 3);
    for (const held of met) {
      const descriptors = held.split("\n").filter((line) => /^\d/.test(line));
      const kinds = descriptors.map((line) => line.replace(/\[\d+\]/, ""));
      // Its own, and the pipe that says how its exec went; nothing of the supervisor's.
      assert.deepEqual(kinds.toSorted(), ["0 /dev/null", "1 pipe:", "2 pipe:", "3 pipe:"]);
      assert.match(held, /^environment PATH=\/usr\/bin:\/bin$/m);
    }
  });
});
