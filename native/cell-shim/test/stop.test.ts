import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { type Frame, flag, readFailure, type, Writer } from "./frames.ts";
import { Cell, Node, skip, useNode } from "./rig.ts";

const reason = { exited: 1, signaled: 2, oom: 3, aborted: 5 } as const;
const all = flag.exited | flag.empty | flag.closed;
function failed(frame: Frame): string {
  assert.equal(frame.type, type.failed);
  return readFailure(frame).step;
}

suite("stopping", { skip }, () => {
  const node = useNode();

  test("SIGNAL reaches the main process alone", async () => {
    await using cell = await Cell.open(node());
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

  test("STOP ends the tree at SIGTERM", async () => {
    await using cell = await Cell.open(node());
    const { run } = await cell.sh("a", "sleep 100 & sleep 100 & echo up; wait");
    await cell.says("a", run, "up");

    const answer = await cell.stop(run, 60000);

    assert.equal(answer.type, type.stopped);
    assert.equal((await cell.connection.run(run, all)).reason, reason.aborted);
  });

  test("STOP kills what ignores SIGTERM when the grace has passed (fault 38)", async () => {
    await using cell = await Cell.open(node());
    const { run } = await cell.sh("a", "trap '' TERM; echo up; while :; do sleep 1; done");
    await cell.says("a", run, "up");

    await cell.stop(run, 20);

    const end = await cell.connection.run(run, all);
    assert.deepEqual([end.how, end.status, end.reason], [2, 9, reason.aborted]);
  });

  test("a second STOP takes the place of the first and shortens the grace", async () => {
    await using cell = await Cell.open(node());
    const { run } = await cell.sh("a", "trap '' TERM; echo up; while :; do sleep 1; done");
    await cell.says("a", run, "up");

    const [first, second] = await Promise.all([cell.stop(run, 1e6), cell.stop(run, 0)]);

    assert.deepEqual(readFailure(first), { errno: 125, step: "stop" });
    assert.equal(second.type, type.stopped);
  });

  test("a daemonised child outlives its parent, holds the log open, and ends with STOP (fault 41)", async () => {
    await using cell = await Cell.open(node());
    const { run } = await cell.sh("a", "setsid sleep 100 & exit 0");
    const exit = await cell.connection.run(run, flag.exited);

    const answer = await cell.stop(run, 60000);

    assert.deepEqual([exit.flags, exit.reason], [flag.exited, reason.exited]);
    assert.equal(answer.type, type.stopped);
    assert.equal((await cell.connection.run(run, all)).reason, reason.exited);
  });

  test("STOP and SIGNAL of a run that is not there say so", async () => {
    await using cell = await Cell.open(node());

    const signal = await cell.connection.ask(type.signal, new Writer().u64(9n).u32(9).bytes());

    assert.equal(failed(await cell.stop(9n, 0)), "run");
    assert.equal(failed(signal), "run");
  });

  test("requests may be pipelined: STOP of a run that is on its way in", async () => {
    await using cell = await Cell.open(node());

    const started = cell.start("a", { argv: ["/bin/sleep", "100"] });
    const stopped = cell.stop(1n, 60000);

    assert.equal((await started).answer.type, type.started);
    assert.equal((await stopped).type, type.stopped);
  });

  test("END stops the runs within its grace, refuses starts, and removes the socket", async () => {
    await using cell = await Cell.open(node());
    const { run } = await cell.sh("a", "trap '' TERM; echo up; while :; do sleep 1; done");
    await cell.says("a", run, "up");

    const ended = cell.end(50);
    const { answer } = await cell.start("b", { argv: ["/bin/true"] });

    assert.equal(failed(answer), "ended");
    assert.equal((await ended).type, type.ended);
    assert.equal((await cell.connection.run(run, all)).reason, reason.aborted);
    assert.equal(existsSync(join(cell.directory, "s.sock")), false);
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
});
