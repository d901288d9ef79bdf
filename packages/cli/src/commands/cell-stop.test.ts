import assert from "node:assert/strict";
import { test } from "node:test";
import { aer, ended, startFake } from "../aer.suite.ts";

test("cell stop tells how the executable ended, and leaves the grace to the daemon", async () => {
  const graces: (number | undefined)[] = [];
  await using _fake = await startFake({
    stop: ({ cellName, executableName, graceMs }) => {
      assert.deepEqual([cellName, executableName], ["web", "server"]);
      graces.push(graceMs);
      return { end: { reason: ended.aborted, signal: 15 } };
    },
  });

  const { code, stdout } = await aer("cell", "stop", "web", "server");

  assert.deepEqual([code, stdout, graces], [0, "server  stopped, SIGTERM\n", [undefined]]);
});

test("cell stop --grace hands on the time, and -o json tells the end", async () => {
  const graces: (number | undefined)[] = [];
  await using _fake = await startFake({
    stop: ({ graceMs }) => {
      graces.push(graceMs);
      return { end: { reason: ended.exited, exitCode: 3 } };
    },
  });

  const { stdout } = await aer("cell", "stop", "web", "server", "--grace", "1.5s", "-o", "json");

  const { end } = JSON.parse(stdout) as { end: { reason: string; exitCode: number } };
  assert.deepEqual([end.reason, end.exitCode, graces], ["exited", 3, [1500]]);
});
