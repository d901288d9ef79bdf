import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { fakeFailure } from "@aurae/client/testing";
import { aer, answerRun, directory, ended, startFake } from "./aer.suite.ts";

test("aer --help needs no daemon and says what there is", async () => {
  const { code, stdout } = await aer("--help");

  assert.equal(code, 0);
  for (const word of ["run", "logs", "wait", "cell", "pki", "AER_SOCKET"]) {
    assert.ok(stdout.includes(word), word);
  }
});

for (const args of [
  ["cell", "nosuch"],
  ["cell", "list", "--nosuch"],
  ["run"],
  ["run", "--memory", "512X", "--", "true"],
  ["run", "--sh", "true", "--", "true"],
  ["logs", "web"],
  ["logs", "--daemon", "--pid", "7"],
  ["logs", "--pid", "5", "--run", "3"],
  ["logs", "--daemon", "--run", "3"],
  ["logs", "--daemon", "--stdout"],
  ["logs", "web", "server", "--tail", "some"],
  ["wait", "web", "--run", "3"],
  ["cell", "start", "web", "server"],
  ["cell", "start", "web", "server", "--user", "root", "--", "true"],
  ["cell", "stop", "web"],
  ["cell", "stop", "web", "server", "--grace", "10"],
  ["cell", "free", "web", "--grace", "10"],
]) {
  test(`aer ${args.join(" ")} is refused as a mistake in the call`, async () => {
    const { code, stdout, stderr } = await aer(...args);

    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^aer: /);
  });
}

for (const [code, exitCode] of [
  ["INVALID_ARGUMENT", 2],
  ["NOT_FOUND", 3],
  ["PERMISSION_DENIED", 4],
  ["ALREADY_EXISTS", 5],
  ["FAILED_PRECONDITION", 5],
  ["UNAVAILABLE", 69],
  ["RESOURCE_EXHAUSTED", 75],
  ["INTERNAL", 1],
] as const) {
  test(`a call that fails with ${code} exits with ${exitCode}, and says why in one line`, async () => {
    await using _fake = await startFake({
      list: () => {
        throw fakeFailure(code, "Cannot list: it is a test");
      },
    });

    const finished = await aer("cell", "list");

    assert.deepEqual(finished, {
      code: exitCode,
      stdout: "",
      stderr: "aer: Cannot list: it is a test\n",
    });
  });
}

test("a daemon that is not there exits with 69 and says what to try", async () => {
  const { code, stderr } = await aer("cell", "list", "--socket", join(directory, "absent"));

  assert.equal(code, 69);
  assert.match(stderr, /^aer: Cannot reach the daemon at .*absent: there is no such socket\nTry: /);
});

test("every violation of a request has its line", async () => {
  const violations = [
    { field: "cell.name", description: "must not be empty", reason: "" },
    { field: "cell.limits.pids_max", description: "must be 3 or more", reason: "" },
  ];
  await using _fake = await startFake({
    allocate: () => {
      throw fakeFailure("INVALID_ARGUMENT", "Cannot allocate cell: 2 fields", { violations });
    },
  });

  const { stderr } = await aer("cell", "allocate", "web");

  assert.equal(
    stderr,
    "aer: Cannot allocate cell: 2 fields\n  cell.name: must not be empty\n  cell.limits.pids_max: must be 3 or more\n",
  );
});

test("cell list draws the tree", async () => {
  await using _fake = await startFake({
    list: () => ({
      cells: [
        {
          cell: { name: "web", limits: { memoryMaxBytes: 536_870_912n, pidsMax: 1024 } },
          state: 2,
          executables: [
            { executable: { name: "server", command: "sleep", args: ["9"] }, state: 2, pid: 7n },
          ],
          children: [{ cell: { name: "web/a" }, state: 2 }],
        },
      ],
    }),
  });

  const { stdout } = await aer("cell", "list");

  assert.equal(
    stdout,
    [
      "NAME       STATE      PID  LIMITS OR COMMAND",
      "web        allocated       memory 512M, pids 1024",
      "├─ server  running    7    sleep 9",
      "└─ web/a   allocated",
      "",
    ].join("\n"),
  );
});

test("cell list -o json is one document, with bytes as numbers", async () => {
  const cell = { name: "web", limits: { memoryMaxBytes: 536_870_912n } };
  await using _fake = await startFake({ list: () => ({ cells: [{ cell, state: 2 }] }) });

  const { stdout } = await aer("cell", "list", "-o", "json");

  const answer = JSON.parse(stdout) as { version: number; cells: { limits: object }[] };
  assert.equal(answer.version, 1);
  assert.deepEqual(answer.cells[0]?.limits, { memoryMaxBytes: 536_870_912 });
});

test("wait exits as the executable did", async () => {
  await using _fake = await startFake(answerRun({ reason: ended.exited, exitCode: 3 }));

  const { code, stdout } = await aer("wait", "web", "job");

  assert.deepEqual([code, stdout], [3, "job  exit 3\n"]);
});

test("pki init prints the files, and the next command on stderr", async () => {
  const made = join(directory, "made");

  const { code, stdout, stderr } = await aer("pki", "init", made, "--client-id", "aer/alice");

  assert.deepEqual([code, stdout.split("\n").length], [0, 7]);
  assert.match(stderr, /^Next: sudo auraed --ca-crt \S+\/ca\.crt --server-crt/);
});
