import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempDisposableSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { FakeSupervisor } from "../testing/fake-supervisor.ts";
import { hasReason } from "../testing/has-reason.ts";
import { askState } from "./contact.ts";
import { openSocket } from "./launcher.ts";
import { Supervisor } from "./supervisor.ts";

test("askState() of one that dies before it has accepted asks who comes after it (fault 8)", async () => {
  using temporary = mkdtempDisposableSync("/tmp/al-");
  const path = join(temporary.path, "s.sock");
  const dying = createServer();
  await once(dying.listen(path), "listening");

  const asking = askState(path, 1000, refuse, refuse);
  // It has connected by now, and the kernel resets what nobody has accepted.
  dying.close();

  await assert.rejects(asking, { code: "ENOENT" });
});

test("enclose() gives a program up that says nothing, as no supervisor (fault 12)", async () => {
  using temporary = mkdtempDisposableSync("/tmp/al-");
  const path = join(temporary.path, "s.sock");
  const hello = { version: 1, cellId: "0123456789abcdef", bootId: "boot", build: "test" };
  await using peer = await FakeSupervisor.listen(path, hello);
  peer.misbehave("never says anything");
  const address = {
    cellName: "web",
    socketPath: path,
    hello,
    watcher: nobody,
    refused: () => undefined,
    answerTimeoutMs: 20,
  };

  const enclosing = Supervisor.enclose(await openSocket(path), address, order);

  await assert.rejects(enclosing, hasReason("SHIM_UNUSABLE"));
});

const order = {
  ...{ namespaces: 0, hostName: "web", cellDir: "/c", logDir: "/l", parentInit: undefined },
  ...{ segmentBytes: 1, segmentsKept: 1, readOnlyPaths: [], hierarchies: [] },
};

const nobody = {
  ...{ runChanged: refuse, reconnected: refuse, initDied: refuse, lost: refuse, silent: refuse },
};

function refuse(): never {
  throw new Error("nobody has answered");
}
