import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { suite, test } from "node:test";
import { flag, type } from "./frames.ts";
import { Cell, type Node, skip, turn, useNode } from "./rig.ts";

const all = flag.exited | flag.empty | flag.closed;
const lines = Array.from({ length: 500 }, (_, index) => `stdout F ${index + 1}\n`).join("");

/**
 * Every second call of these is interrupted. Of reads and waits only the first, which waits for the init:
 * the others are asked not to wait, or need not, so nothing can come between.
 */
const interruptions = [
  ...["-e", "inject=poll,epoll_wait,recvmsg,pwrite64:error=EINTR:when=1+2"],
  ...["-e", "inject=read,waitid:error=EINTR:when=1"],
];

/** The supervisor that a launcher has made of the newest connection. */
async function newestSupervisor(node: Node): Promise<number> {
  const path = `/proc/${node.launcher.pid}/task/${node.launcher.pid}/children`;
  for (;;) {
    const pid = Number(readFileSync(path, "utf8").trim().split(" ").at(-1));
    // Until it has exec'd it is a copy of the launcher.
    if (pid > 0 && readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("aurae-superviso"))
      return pid;
    await turn();
  }
}

/** Have the calls of a process fail, from the return of this on until it ends. */
async function interrupt(pid: number): Promise<AsyncDisposable> {
  const strace = spawn("strace", ["-o", "/dev/null", ...interruptions, "-p", `${pid}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exit = once(strace, "exit");
  for await (const line of createInterface({ input: strace.stderr })) {
    if (line.includes("attached")) break;
    throw new Error(line);
  }
  strace.stderr.resume();
  return {
    async [Symbol.asyncDispose]() {
      strace.kill("SIGTERM");
      await exit;
    },
  };
}

/** What a supervisor, an init and a launcher each ignore, hold back or live through. */
function strike(pid: number): void {
  for (const signal of ["SIGCHLD", "SIGWINCH", "SIGSTOP", "SIGCONT"] as const)
    process.kill(pid, signal);
}

/** Start, write, stop and end, and look whether everything was told. */
async function live(cell: Cell): Promise<void> {
  const { run: stopped } = await cell.sh("stopped", "exec sleep 1000");
  for (let i = 0; i < 8; i++) {
    const { run } = await cell.sh("a", `seq 500; exit ${i}`);
    const end = await cell.connection.run(run, all);
    assert.deepEqual([end.how, end.status, end.dropped], [1, i, 0n]);
    assert.equal(cell.log("a", run), lines);
  }

  assert.equal((await cell.stop(stopped, 10_000)).type, type.stopped);
  assert.equal((await cell.connection.run(stopped, all)).status, 15);
}

suite("interrupted calls", { skip }, () => {
  const node = useNode();

  test("a supervisor whose calls are interrupted makes its cell, and loses nothing (fault 30)", async () => {
    await using cell = node().cell();
    await once(cell.connection.socket, "connect");
    await using _strace = await interrupt(await newestSupervisor(node()));

    assert.equal((await cell.enclose()).type, type.enclosed);
    await live(cell);
    assert.equal((await cell.end()).type, type.ended);
  });

  test("a storm of signals, also those that stop and go on, changes nothing (fault 30)", async () => {
    await using cell = await Cell.open(node());
    const targets = [cell.supervisor, cell.init, node().launcher.pid as number];
    let isOver = false;
    async function storm(): Promise<void> {
      while (!isOver) {
        for (const pid of targets) strike(pid);
        // To a launcher this is an order to end.
        for (const pid of targets.slice(0, 2)) process.kill(pid, "SIGALRM");
        await turn();
      }
    }

    const storming = storm();
    try {
      await live(cell);
      await using other = await Cell.open(node());
      await live(other);
    } finally {
      isOver = true;
      await storming;
    }
  });
});
