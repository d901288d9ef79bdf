import assert from "node:assert/strict";
import { test } from "node:test";
import { EndReason } from "@aurae/api/runtime";
import { openPair } from "./testing.ts";

interface Request {
  readonly requestId?: string | undefined;
}

test("requestId goes with every call that changes something, and only when it is given", async () => {
  const ids: (string | undefined)[] = [];
  function note({ requestId }: Request) {
    ids.push(requestId);
    return {};
  }
  const end = { reason: EndReason.EXITED, exitCode: 0 };
  function stop(request: Request) {
    return { ...note(request), end };
  }
  await using pair = await openPair({ allocate: note, start: note, stop, free: note });

  for (const options of [{ requestId: "id" }, {}]) {
    const cell = await pair.node.cells.allocate({ name: "web" }, options);
    await cell.start({ name: "main", sh: "true" }, options);
    await cell.stop("main", options);
    await cell.free(options);
  }

  const none = undefined;
  assert.deepEqual(ids, ["id", "id", "id", "id", none, none, none, none]);
});
