import assert from "node:assert/strict";
import { test } from "node:test";
import { CellService } from "@aurae/api/runtime";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { needsRoot, startDaemon } from "../daemon.ts";
import { killAt } from "./inject.ts";
import { supervisorsOf } from "./restarts.ts";

/** What was answered is written down, so that daemon and supervisor may both die the moment after. */

test("Start is answered when its run is written down, and not before (fault 9)", {
  skip: needsRoot,
}, async () => {
  await using daemon = await startDaemon();
  using client = new WireClient(daemon);
  await client.allocate({ name: "web" });
  const [supervisor = 0] = supervisorsOf(daemon);
  const executable = { name: "main", command: "sleep 1000", cellName: "web" };

  // The first that a supervisor writes so is the record of a run that has started.
  const answer = await killAt(supervisor, "pwrite64", () =>
    answerTo(client.call(CellService.method.start, { executable })),
  );

  assert.equal(status[answer.code], "UNAVAILABLE", answer.message);
});
