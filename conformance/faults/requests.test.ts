import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { CellService, EndReason, RunState } from "@aurae/api/runtime";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { needsRoot as skip, startDaemon } from "../daemon.ts";
import { parentOf } from "../host.ts";
import { killAt } from "./inject.ts";
import { Restarting } from "./restarting.ts";

/** Requests that are sent again: to the daemon that was asked, and to the next one when that was killed. */

const { allocate, free, start, stop } = CellService.method;
const main = { cellName: "web", executableName: "main" };
const requestId = "0b0c7a5e-1c3b-4c1e-9a35-5a0d5f6f8a11";

/** What a program says as often as it is started. */
function sayIn(file: string): string {
  return `echo started >> ${file}; exec sleep 1000`;
}

/** The four calls that change something, each under the same id. */
function callsTo(node: Restarting, command: string) {
  const executable = { name: "main", cellName: "web", command };
  return [
    () => node.client.call(allocate, { cell: { name: "web" }, requestId }),
    () => node.client.call(start, { executable, requestId }),
    () => node.client.call(stop, { ...main, requestId }),
    () => node.client.call(free, { cellName: "web", requestId }),
  ];
}

test("each call is answered again by the next daemons, and once more when the cell is gone (faults 1, 2, 3, 4, 68)", {
  skip,
}, async () => {
  await using node = await Restarting.start();
  const said = `${node.daemon.directory}/said`;
  const calls = callsTo(node, sayIn(said));
  const answers: unknown[] = [];

  for (const call of calls) {
    answers.push(await call());
    await node.killAndRestart();
    assert.deepEqual(await call(), answers.at(-1));
  }
  for (const [at, call] of calls.entries()) assert.deepEqual(await call(), answers[at]);

  assert.deepEqual(await node.cells(), []);
  assert.equal(await readFile(said, "utf8"), "started\n");
});

test("a call whose daemon was killed when all was done but the note of it is answered (faults 1, 2, 3, 4)", {
  skip,
}, async () => {
  await using node = await Restarting.start();
  const said = `${node.daemon.directory}/said`;
  const calls = callsTo(node, sayIn(said));
  // The file of answers grows with the first: after that each note is one pwrite.
  await node.client.call(allocate, { cell: { name: "other" }, requestId: "other" });

  for (const call of calls) {
    const { code } = await killAt(node.daemon.pid, "pwrite64", () => answerTo(call()));
    assert.equal(code, status.UNAVAILABLE);
    await node.killAndRestart();
    await call();
    const [run] = (await node.cells()).flatMap(({ executables }) => executables);
    assert.ok(run === undefined || run.run === 1n);
  }

  const names = (await node.cells()).map(({ cell }) => cell?.name);
  assert.deepEqual(names, ["other"]);
  assert.equal(await readFile(said, "utf8"), "started\n");
});

test("an allocation that was killed before its commit is undone, and its repeat acts (fault 1)", {
  skip,
}, async () => {
  await using node = await Restarting.start();
  const request = { cell: { name: "web" }, requestId };

  await killAt(node.daemon.pid, "rename", () => answerTo(node.client.call(allocate, request)));
  await node.killAndRestart();

  assert.deepEqual(await node.cells(), []);
  await node.client.call(allocate, request);
  assert.equal((await node.cells()).length, 1);
});

test("a repeat of Stop is told of the run that it stopped, and stops no newer one (fault 3)", {
  skip,
}, async () => {
  await using node = await Restarting.start();
  const executable = { name: "main", cellName: "web", command: "sleep 1000" };
  await node.client.allocate({ name: "web" });
  await node.client.call(start, { executable });
  const first = await node.client.call(stop, { ...main, requestId });
  await node.client.call(start, { executable });
  await node.killAndRestart();

  const repeat = await node.client.call(stop, { ...main, requestId });

  assert.deepEqual(repeat, first);
  const [run] = (await node.cells())[0]?.executables ?? [];
  assert.deepEqual([run?.run, run?.state], [2n, RunState.RUNNING]);
});

test("a Stop whose daemon is killed in its grace goes on, and its repeat waits for it (fault 3)", {
  skip,
}, async () => {
  await using node = await Restarting.start();
  const go = `${node.daemon.directory}/go`;
  const asked = `${node.daemon.directory}/asked`;
  execFileSync("mkfifo", [go, asked]);
  const command = `trap 'trap "" TERM; echo > ${asked}; read x < ${go}; exit 5' TERM; echo > ${asked}; while :; do sleep 1000 & wait; done`;
  const executable = { name: "main", cellName: "web", command };
  await node.client.allocate({ name: "web" });
  await node.client.call(start, { executable });
  await readFile(asked);
  const request = { ...main, graceMs: 3_600_000, requestId };

  const killed = answerTo(node.client.call(stop, request));
  await readFile(asked);
  await node.killAndRestart();
  assert.equal((await killed).code, status.UNAVAILABLE);
  const repeats = [1, 2].map(() => node.client.call(stop, request));
  await writeFile(go, "\n");

  for (const { end } of await Promise.all(repeats))
    assert.deepEqual([end?.reason, end?.exitCode], [EndReason.ABORTED, 5]);
});

test("a Start whose caller has gone while it was done is done once, and its repeat is answered (faults 76, 77)", {
  skip,
}, async () => {
  await using node = await Restarting.start();
  const said = `${node.daemon.directory}/said`;
  await node.client.allocate({ name: "web" });
  const first = { name: "first", cellName: "web", command: "sleep 1000" };
  const { pid } = await node.client.call(start, { executable: first });
  const request = { executable: { ...first, name: "main", command: sayIn(said) }, requestId };

  const supervisor = parentOf(Number(pid));
  process.kill(supervisor, "SIGSTOP");
  // Its deadline resets the stream: that is what a caller who leaves does.
  const late = await answerTo(node.client.call(start, request, 300));
  const repeat = node.client.call(start, request);
  process.kill(supervisor, "SIGCONT");

  assert.equal(late.code, status.DEADLINE_EXCEEDED);
  assert.equal((await repeat).run, 2n);
  assert.equal((await node.client.call(start, request)).run, 2n);
  await node.client.call(stop, main);
  assert.equal(await readFile(said, "utf8"), "started\n");
});

test("an id is of one request and one identity (fault 68)", { skip }, async () => {
  await using daemon = await startDaemon();
  using client = new WireClient(daemon);
  await client.call(allocate, { cell: { name: "web" }, requestId });
  using other = new WireClient({ ...daemon, client: otherClient(daemon.directory) });

  const reused = await answerTo(client.call(allocate, { cell: { name: "other" }, requestId }));
  const others = await answerTo(other.call(allocate, { cell: { name: "web" }, requestId }));
  const malformed = await answerTo(client.call(free, { cellName: "web", requestId: "a b" }));

  assert.deepEqual([reused.code, reused.reason], [status.INVALID_ARGUMENT, "REQUEST_ID_REUSED"]);
  assert.equal(others.reason, "CELL_EXISTS");
  assert.deepEqual([malformed.code, malformed.reason], [status.INVALID_ARGUMENT, "FIELD_INVALID"]);
});

/** A certificate of another identity, by the authority of a daemon. */
function otherClient(directory: string) {
  const [ca, key, certificate] = ["ca.crt", "other.key", "other.crt"].map(
    (name) => `${directory}/pki/${name}`,
  ) as [string, string, string];
  const by = ["-CA", ca, "-CAkey", `${directory}/pki/ca.key`, "-days", "1", "-nodes"];
  const subject = [
    "-subj",
    "/CN=other",
    "-addext",
    "subjectAltName=URI:spiffe://aurae.local/other",
  ];
  const usage = ["keyUsage=critical,digitalSignature", "extendedKeyUsage=clientAuth"];
  const extensions = [...usage, "basicConstraints=critical,CA:false"].flatMap((each) => [
    "-addext",
    each,
  ]);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
  const out = ["-keyout", key, "-out", certificate];
  execFileSync("openssl", ["req", "-x509", ...curve, ...by, ...subject, ...extensions, ...out], {
    stdio: "pipe",
  });
  return { ca, key, certificate };
}
