import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { needsRoot } from "./daemon.ts";

/** The demo checks what it shows; so it is run as a test too. */

test("the demo shows its work to the end, and leaves nothing", { skip: needsRoot }, async () => {
  const demo = spawn(process.execPath, [`${import.meta.dirname}/../demo/demo.ts`], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 60_000,
  });
  const closed = once(demo, "close");
  const lines = (await text(demo.stdout)).trim().split("\n");

  assert.deepEqual(await closed, [0, null]);
  assert.equal(lines.at(-1), "Nothing is left: no process, no cgroup, no mount");
});
