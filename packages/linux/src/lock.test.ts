import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempDisposableSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openLock } from "./lock.ts";
import { hasReason } from "./testing/has-reason.ts";

test("openLock() refuses a directory that another has, until it is given back (fault 17)", () => {
  using directory = mkdtempDisposableSync("/tmp/al-");
  const lock = openLock(directory.path);

  assert.throws(() => openLock(directory.path), /another daemon uses it$/);

  lock[Symbol.dispose]();
  openLock(directory.path)[Symbol.dispose]();
});

test("openLock() gives the lock to no child", () => {
  using directory = mkdtempDisposableSync("/tmp/al-");
  using lock = openLock(directory.path);

  const { stdout } = spawnSync("/bin/sh", ["-c", "ls -l /proc/self/fd"], { encoding: "utf8" });

  assert.ok(!stdout.includes(lock.path), stdout);
});

test("openLock() follows no link (fault 67)", () => {
  using directory = mkdtempDisposableSync("/tmp/al-");
  symlinkSync("/etc/hostname", join(directory.path, "lock"));

  assert.throws(() => openLock(directory.path), hasReason("HOST_FAILED"));
});
