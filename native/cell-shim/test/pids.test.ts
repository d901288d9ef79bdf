import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { allNamespaces, flag, newPid, readFailure, type, Writer } from "./frames.ts";
import { build, Cell, firstOutput, isAlive, Node, skip, turn } from "./rig.ts";

const program = join(build, "misbehave");
const all = flag.exited | flag.empty | flag.closed;
const aborted = 5;

/** A process that has a pid which another had. */
class Taker implements AsyncDisposable {
  readonly #program: ChildProcess;

  private constructor(pid: number) {
    this.#program = spawn(program, ["take-pid", `${pid}`]);
  }

  static async take(pid: number): Promise<Taker> {
    const taker = new Taker(pid);
    assert.equal(await firstOutput(taker.#program), "ready\n");
    return taker;
  }

  /** End it, and tell what had come to it before. */
  async fate(): Promise<string> {
    this.#program.stdin?.end();
    return firstOutput(this.#program);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#program.stdin?.end();
    if (this.#program.exitCode === null) await once(this.#program, "exit");
  }
}

suite("pids", { skip }, () => {
  for (const [what, namespaces] of [
    ["its own", allNamespaces],
    ["the host's", allNamespaces & ~newPid],
  ] as const)
    test(`who has the pid of a run that has ended is left alone, pids: ${what} (fault 45)`, async () => {
      await using node = await Node.start();
      await using cell = await Cell.open(node, namespaces);
      // What is left has a session of its own: the number of one that somebody is in is not given away.
      const script = "setsid sh -c 'echo up; exec sleep 1000' & exit 0";
      const { run, pid } = await cell.sh("a", script);
      await cell.says("a", run, "up");
      await cell.connection.run(run, flag.exited);
      while (isAlive(pid)) await turn();
      await using other = await Taker.take(pid);

      const signal = await cell.connection.ask(type.signal, new Writer().u64(run).u32(9).bytes());
      const stop = await cell.stop(run, 0);
      const end = await cell.end(0);

      assert.deepEqual(readFailure(signal), { errno: 3, step: "run" });
      assert.deepEqual([stop.type, end.type], [type.stopped, type.ended]);
      assert.equal(await other.fate(), "alive\n");
    });

  for (const version of ["v1", "all"] as const)
    for (const [what, namespaces] of [
      ["its own", allNamespaces],
      ["the host's", allNamespaces & ~newPid],
    ] as const)
      test(`who is never twice the same process is killed, mounts: ${version}, pids: ${what} (fault 46)`, async () => {
        await using node = await Node.start(version);
        await using cell = await Cell.open(node, namespaces);
        const one = await cell.sh("a", `exec ${program} runaway`);
        const two = await cell.sh("b", `exec ${program} runaway`);
        await cell.says("a", one.run, "ready");
        await cell.says("b", two.run, "ready");

        const stop = await cell.stop(one.run, 20);
        const members = readFileSync(`${cell.groups[0]?.path}/x-a/cgroup.procs`, "utf8");
        const end = await cell.end(20);

        assert.deepEqual([stop.type, members, end.type], [type.stopped, "", type.ended]);
        for (const { run } of [one, two]) {
          const { how, status, reason } = await cell.connection.run(run, all);
          assert.deepEqual([how, status, reason], [2, 9, aborted]);
        }
      });
});
