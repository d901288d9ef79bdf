import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeAnswers, fakeFailure } from "@aurae/client/testing";
import { aer, startFake } from "../aer.suite.ts";

type Executable = NonNullable<Parameters<NonNullable<FakeAnswers["start"]>>[0]["executable"]>;

/** What the daemon is asked to start by these arguments. */
async function asked(...args: readonly string[]): Promise<Executable> {
  let asked: Executable | undefined;
  await using _fake = await startFake({
    start: ({ executable }) => {
      asked = executable;
      return { pid: 42n, run: 7n };
    },
  });

  const { code, stdout } = await aer("cell", "start", "web", "server", ...args);

  assert.deepEqual([code, stdout], [0, "server  pid 42  run 7\n"]);
  return asked ?? assert.fail();
}

test("cell start runs the words after -- without a shell, flags of theirs too", async () => {
  const { cellName, name, command, args } = await asked("--", "node", "server.js", "--tail", "5");

  assert.deepEqual([cellName, name, command], ["web", "server", "node"]);
  assert.deepEqual(args, ["server.js", "--tail", "5"]);
});

test("cell start of a single word has no shell either", async () => {
  const { command, args, noShell } = await asked("--", "a b");

  assert.deepEqual([command, args, noShell], ["a b", [], true]);
});

test("cell start --sh is a script", async () => {
  const { command, args, noShell } = await asked("--sh", "echo $HOME | wc");

  assert.deepEqual([command, args, noShell], ["echo $HOME | wc", [], false]);
});

test("cell start hands on environment, directory and user", async () => {
  const flags = ["--env", "A=1=2", "--env", "HOME", "--workdir", "/srv", "--user", "1000:50"];

  const { env, workingDirectory, uid, gid } = await asked(...flags, "--", "true");

  assert.deepEqual(env, { A: "1=2", HOME: env["HOME"] });
  assert.ok(env["HOME"]?.startsWith("/"));
  assert.deepEqual([workingDirectory, uid, gid], ["/srv", 1000, 50]);
});

test("cell start -o json tells pid and run", async () => {
  await using _fake = await startFake({ start: () => ({ pid: 42n, run: 7n }) });

  const { stdout } = await aer("cell", "start", "web", "server", "-o", "json", "--", "true");

  const { cell, executable, pid, run } = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual([cell, executable, pid, Number(run)], ["web", "server", 42, 7]);
});

for (const [code, reason, next] of [
  ["ALREADY_EXISTS", "EXECUTABLE_EXISTS", "aer cell stop web server, or another name"],
  ["FAILED_PRECONDITION", "EXECUTABLE_TREE_ALIVE", "aer cell stop web server"],
  ["NOT_FOUND", "CELL_NOT_FOUND", "aer cell list"],
] as const) {
  test(`cell start that fails with ${reason} says what to do`, async () => {
    await using _fake = await startFake({
      start: () => {
        throw fakeFailure(code, "Cannot start it", { reason });
      },
    });

    const { stderr } = await aer("cell", "start", "web", "server", "--", "true");

    assert.equal(stderr, `aer: Cannot start it\nTry: ${next}\n`);
  });
}
