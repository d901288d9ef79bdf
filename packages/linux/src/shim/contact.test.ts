import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempDisposableSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { askState } from "./contact.ts";

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

function refuse(): never {
  throw new Error("nobody has answered");
}
