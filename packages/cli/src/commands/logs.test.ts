import assert from "node:assert/strict";
import { test } from "node:test";
import type { FakeAnswers } from "@aurae/client/testing";
import { aer, startFake } from "../aer.suite.ts";

type Request = Parameters<NonNullable<FakeAnswers["getSubProcessStream"]>>[0];

/** What the daemon is asked for by these arguments. */
async function asked(...args: readonly string[]): Promise<Request> {
  const requests: Request[] = [];
  await using _fake = await startFake({
    async *getSubProcessStream(request) {
      requests.push(request);
      yield { channel: "server::stdout", line: "one" };
    },
  });

  const { code, stdout } = await aer("logs", ...args);

  assert.deepEqual([code, stdout, requests.length], [0, "one\n", 1]);
  return requests[0] ?? assert.fail();
}

test("logs of an executable asks for both streams of its latest run, without following", async () => {
  const { cellName, executableName, run, follow, allChannels, tail, sinceNs } = await asked(
    "web",
    "server",
  );

  assert.deepEqual([cellName, executableName, run], ["web", "server", undefined]);
  assert.deepEqual([follow, allChannels, tail, sinceNs], [false, true, undefined, 0n]);
});

test("logs --run --tail -f asks for the last lines of that run, and those to come", async () => {
  const { run, tail, follow } = await asked("web", "server", "--run", "3", "--tail", "0", "-f");

  assert.deepEqual([run, tail, follow], [3n, 0n, true]);
});

for (const [flag, channelType] of [
  ["--stdout", 0],
  ["--stderr", 1],
] as const) {
  test(`logs ${flag} asks for that stream alone`, async () => {
    const request = await asked("web", "server", flag);

    assert.deepEqual([request.allChannels, request.channelType], [false, channelType]);
  });
}

test("logs --stdout --stderr asks for both", async () => {
  assert.equal((await asked("web", "server", "--stdout", "--stderr")).allChannels, true);
});

test("logs --pid asks for the process", async () => {
  const { processId, cellName } = await asked("--pid", "77");

  assert.deepEqual([processId, cellName], [77n, ""]);
});

test("logs --since counts back from now", async () => {
  const before = BigInt(Date.now()) * 1_000_000n;

  const { sinceNs } = await asked("web", "server", "--since", "10m");

  const back = sinceNs - (before - 600_000_000_000n);
  assert.ok(back >= 0n && back < 60_000_000_000n, `${back} ns`);
});

test("logs --daemon -o json writes a line of JSON for each record", async () => {
  await using _fake = await startFake({
    async *getAuraeDaemonLogStream() {
      yield { channel: "auraed", line: "{}", timestampNs: 1_000_000_001n };
    },
  });

  const { stdout } = await aer("logs", "--daemon", "-o", "json");

  const { type, time, stream, text } = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual(
    [type, time, stream, text],
    ["line", "1970-01-01T00:00:01.000000001Z", "daemon", "{}"],
  );
});

test("logs says on stderr what a log no longer has", async () => {
  await using _fake = await startFake({
    async *getSubProcessStream() {
      yield { gap: { linesDropped: 3n } };
      yield { channel: "server::stdout", line: "after" };
    },
  });

  const { stdout, stderr } = await aer("logs", "web", "server");

  assert.equal(stdout, "after\n");
  assert.equal(stderr, "aer: missing here: 3 lines that could not be written\n");
});
