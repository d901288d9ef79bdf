import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { type FakeAnswers, fakeFailure } from "@aurae/client/testing";
import { aer, answerRun, ended, finish, spawnAer, startFake } from "../aer.suite.ts";

test("run writes every byte as it came, to the stream it came from", async () => {
  const raw = Uint8Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10);
  await using _fake = await startFake(
    answerRun({ reason: ended.exited, exitCode: 7 }, [
      { channel: "main::stdout", line: "?", raw },
      { channel: "main::stderr", line: "problem" },
      { channel: "main::stdout", line: "no newline", partial: true },
    ]),
  );

  const { code, stdout, stderr } = await finish(spawnAer("run", "--", "x"), "latin1");

  const expected = `${Buffer.from(raw).toString("latin1")}\nno newline`;
  assert.deepEqual([code, stdout, stderr], [7, expected, "problem\n"]);
});

for (const { title, end, exitCode } of [
  { title: "a signal", end: { reason: ended.signaled, signal: 11 }, exitCode: 139 },
  { title: "its memory limit", end: { reason: ended.oom, exitCode: 1 }, exitCode: 137 },
]) {
  test(`run of a command that ${title} ended exits with ${exitCode}, and frees the cell`, async () => {
    await using fake = await startFake(answerRun(end));

    const { code } = await aer("run", "--", "x");

    assert.equal(code, exitCode);
    assert.equal(fake.calls.at(-1), "Free");
  });
}

for (const [reason, exitCode] of [
  ["COMMAND_NOT_FOUND", 127],
  ["COMMAND_NOT_EXECUTABLE", 126],
  ["CELL_FAILED", 125],
] as const) {
  test(`run exits with ${exitCode} when start fails with ${reason}, and frees the cell`, async () => {
    await using fake = await startFake({
      ...answerRun({ reason: ended.exited }),
      start: () => {
        throw fakeFailure("FAILED_PRECONDITION", "Cannot start", { reason });
      },
    });

    const { code } = await aer("run", "--", "x");

    assert.equal(code, exitCode);
    assert.deepEqual(fake.calls, ["Allocate", "Start", "Free"]);
  });
}

/** A command that writes one line and runs until it is stopped; `hear` learns the grace of each Stop. */
function answerLongRun(
  signal: number,
  hear: (graceMs: number | undefined) => boolean,
): FakeAnswers {
  const end = { reason: ended.aborted, signal };
  let finish: () => void = () => undefined;
  const over = new Promise<void>((resolve) => {
    finish = resolve;
  });
  return {
    ...answerRun(end),
    wait: () => over.then(() => ({ executables: [{ end }] })),
    stop: async ({ graceMs }) => {
      if (hear(graceMs)) finish();
      await over;
      return { end };
    },
    async *getSubProcessStream() {
      yield { channel: "main::stdout", line: "ready" };
      await over;
    },
  };
}

test("run that gets SIGINT stops its command, exits as that did, and frees the cell", async () => {
  const graces: (number | undefined)[] = [];
  await using fake = await startFake(
    answerLongRun(15, (grace) => {
      graces.push(grace);
      return true;
    }),
  );
  const child = spawnAer("run", "--grace", "5s", "--", "x");
  child.stdout?.once("data", () => child.kill("SIGINT"));

  const { code } = await finish(child);

  assert.deepEqual([code, graces, fake.calls.at(-1)], [143, [5000], "Free"]);
});

test("run that gets a second signal kills its command", async () => {
  const graces: (number | undefined)[] = [];
  let child: ChildProcess | undefined;
  await using _fake = await startFake(
    answerLongRun(9, (grace) => {
      graces.push(grace);
      if (grace !== 0) child?.kill("SIGTERM");
      return grace === 0;
    }),
  );
  child = spawnAer("run", "--", "x");
  child.stdout?.once("data", () => child?.kill("SIGTERM"));

  const { code } = await finish(child);

  assert.deepEqual([code, graces], [137, [undefined, 0]]);
});

test("run whose reader has gone frees the cell and ends quietly", async () => {
  await using fake = await startFake({
    ...answerRun({ reason: ended.exited, exitCode: 0 }),
    wait: () => new Promise(() => undefined),
    async *getSubProcessStream(_request, signal) {
      while (!signal.aborted) yield { channel: "main::stdout", line: "x".repeat(1000) };
    },
  });
  const child = spawnAer("run", "--", "x");
  child.stdout?.once("data", () => child.stdout?.destroy());
  const errors = child.stderr === null ? "" : text(child.stderr);
  const code = await new Promise((resolve) => child.once("exit", resolve));

  assert.deepEqual([code, await errors], [141, ""]);
  assert.ok(fake.calls.includes("Free"));
});
