import assert from "node:assert/strict";
import { test } from "node:test";
import { EndReason } from "@aurae/api/runtime";
import { AuraeError, Exists, Invalid, NotFound, Timeout } from "./client.ts";
import { fakeFailure } from "./fake-node.ts";
import { openPair } from "./testing.ts";

interface Later<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

/** Promise.withResolvers, which Node 20 lacks. */
function later<T>(): Later<T> {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test("rpc.cells.allocate() carries the request and the answer", async () => {
  await using pair = await openPair({
    allocate: ({ cell }) => ({ cellName: cell?.name ?? "", cgroupV2: cell?.cpuShares === 7n }),
  });

  const answer = await pair.node.rpc.cells.allocate({ cell: { name: "web", cpuShares: 7n } });

  assert.deepEqual([answer.cellName, answer.cgroupV2], ["web", true]);
});

test("a failure has the code, the reason, the metadata and every violation of the daemon", async () => {
  const violations = [
    { field: "cell.name", description: "must not be empty", reason: "CELL_NAME_INVALID" },
    {
      field: "cell.limits.pids_max",
      description: "must be 3 or more",
      reason: "LIMIT_OUT_OF_RANGE",
    },
  ];
  await using pair = await openPair({
    allocate: () => {
      const details = { reason: "FIELD_INVALID", metadata: { cell: "web" }, violations };
      throw fakeFailure("INVALID_ARGUMENT", "Cannot allocate", details);
    },
  });

  const error = await pair.node.cells.allocate({ name: "" }).catch((cause: unknown) => cause);

  assert.ok(error instanceof Invalid);
  const { code, reason, domain, metadata, message, retryable } = error;
  assert.deepEqual(
    { code, reason, domain, metadata: { ...metadata }, message, retryable },
    {
      code: "INVALID_ARGUMENT",
      reason: "FIELD_INVALID",
      domain: "aurae.io",
      metadata: { cell: "web" },
      message: "Cannot allocate",
      retryable: false,
    },
  );
  assert.deepEqual(error.violations, violations);
});

test("a failure is of the class of its code, and of no other", async () => {
  await using pair = await openPair({
    list: () => {
      throw fakeFailure("NOT_FOUND", "No such cell");
    },
  });

  const error = await pair.node.list({ cell: "web" }).catch((cause: unknown) => cause);

  assert.ok(error instanceof NotFound && error instanceof AuraeError);
  assert.ok(!((error as object) instanceof Exists));
});

test("a call that takes longer than timeoutMs throws Timeout", async () => {
  await using pair = await openPair({ wait: () => new Promise(() => undefined) });

  await assert.rejects(pair.node.cell("web").waitAll({ timeoutMs: 50 }), Timeout);
});

test("a call whose signal aborts throws the reason, and is cancelled at the daemon", async () => {
  const asked = later<AbortSignal>();
  await using pair = await openPair({
    wait: (_request, signal) => {
      asked.resolve(signal);
      return new Promise(() => undefined);
    },
  });
  const leaving = new AbortController();
  const waiting = pair.node.cell("web").waitAll({ signal: leaving.signal });
  const signal = await asked.promise;

  leaving.abort(new Error("enough"));

  await assert.rejects(waiting, { message: "enough" });
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
});

test("leaving the loop over a stream cancels the call", async () => {
  const ended = later<AbortSignal>();
  await using pair = await openPair({
    async *getSubProcessStream(_request, signal) {
      ended.resolve(signal);
      for (let line = 0; !signal.aborted; line++) yield { channel: "web::stdout", line: `${line}` };
    },
  });

  for await (const { text } of pair.node.logs({ cell: "web", executable: "server" })) {
    if (text === "3") break;
  }

  const signal = await ended.promise;
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
});

test("a stream is read only as fast as its loop runs", async () => {
  let written = 0;
  const line = "x".repeat(16 * 1024);
  await using pair = await openPair({
    async *getSubProcessStream() {
      for (; written < 4096; written++) yield { channel: "web::stdout", line };
    },
  });
  const lines = pair.node.logs({ cell: "web", executable: "server" });

  await lines.next();
  // A whole call there and back on the same connection: all that could be written by now is.
  for (let call = 0; call < 50; call++) await pair.node.list().catch(() => undefined);
  const ahead = written;
  await lines.return();

  assert.ok(ahead < 1024, `${ahead} lines of 16 KiB were written before the second was asked for`);
});

test("a stream that fails delivers what came before, then throws", async () => {
  await using pair = await openPair({
    async *getSubProcessStream() {
      yield { channel: "web::stderr", line: "one" };
      throw fakeFailure("NOT_FOUND", "No such run");
    },
  });
  const texts: string[] = [];

  await assert.rejects(async () => {
    for await (const { text } of pair.node.logs({ pid: 7 })) texts.push(text);
  }, NotFound);

  assert.deepEqual(texts, ["one"]);
});

test("cells.allocate() writes sizes, CPUs and shares in the units of the wire", async () => {
  const asked = later<object>();
  await using pair = await openPair({
    allocate: ({ cell }) => {
      asked.resolve({ ...cell?.limits, ...cell?.isolation });
      return { cellName: "web" };
    },
  });

  const limits = { cpus: 1.5, memory: { max: "512M", swap: 0 }, pids: 32 } as const;
  await pair.node.cells.allocate({ name: "web", limits, share: ["pid"] });

  const request = (await asked.promise) as Record<string, unknown>;
  assert.deepEqual(
    [request["cpuQuotaUs"], request["memoryMaxBytes"], request["memorySwapMaxBytes"]],
    [150_000n, 536_870_912n, 0n],
  );
  assert.deepEqual(
    [request["pidsMax"], request["sharePid"], request["shareUts"]],
    [32, true, false],
  );
});

test("leaving the scope of a cell frees it", async () => {
  await using pair = await openPair({
    allocate: () => ({ cellName: "web" }),
    free: () => ({}),
  });

  {
    await using cell = await pair.node.cells.allocate({ name: "web" });
    assert.equal(cell.name, "web");
  }

  assert.deepEqual(pair.fake.calls, ["Allocate", "Free"]);
});

test("a cell that was freed is not freed again when its scope ends", async () => {
  await using pair = await openPair({ allocate: () => ({ cellName: "web" }), free: () => ({}) });

  {
    await using cell = await pair.node.cells.allocate({ name: "web" });
    await cell.free({ grace: "1s" });
  }

  assert.deepEqual(pair.fake.calls, ["Allocate", "Free"]);
});

test("wait() tells how a run ended and what it used, and leaves out what the host cannot tell", async () => {
  const usage = { cpuTotalNs: 38_500_000n, memoryPeakBytes: 9_856_614n };
  const end = { reason: EndReason.OOM, signal: 9, endedAtNs: 1_700_000_000_123_456_789n, usage };
  await using pair = await openPair({ wait: () => ({ executables: [{ end }] }) });

  const told = await pair.node.cell("web").wait("server");

  assert.deepEqual(told, {
    reason: "oom",
    ok: false,
    signal: "SIGKILL",
    signalNumber: 9,
    coreDumped: false,
    endedAt: new Date(1_700_000_000_123),
    usage: { cpuTimeMs: 38.5, memoryPeakBytes: 9_856_614n },
    linesDropped: 0n,
  });
});

test("start() runs a command without a shell, and a script with one", async () => {
  const asked: object[] = [];
  await using pair = await openPair({
    start: ({ executable }) => {
      asked.push([executable?.command, executable?.args, executable?.noShell]);
      return { pid: 42n, run: 1n };
    },
  });
  const cell = pair.node.cell("web");

  await cell.start({ name: "a", command: ["echo", "hello world"] });
  await cell.start({ name: "b", sh: "echo hello | wc" });

  assert.deepEqual(asked, [
    ["echo", ["hello world"], true],
    ["echo hello | wc", [], false],
  ]);
});

test("close() cancels the calls that run", async () => {
  const asked = later<void>();
  await using pair = await openPair({
    wait: () => {
      asked.resolve();
      return new Promise(() => undefined);
    },
  });
  const waiting = pair.node.cell("web").waitAll();
  await asked.promise;

  pair.node.close();

  await assert.rejects(waiting, { code: "CANCELLED" });
});
