import assert from "node:assert/strict";
import { chmodSync, mkdtempDisposableSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hasReason } from "../testing/has-reason.ts";
import { Launcher } from "./launcher.ts";

for (const [what, script, words] of [
  ["ends with a word", "#!/bin/sh\necho 'Cannot join /cg: no such file'; exit 1\n", /Cannot join/],
  ["ends without a word", "#!/bin/sh\nexit 3\n", /ended at once/],
  ["is no program", "nonsense", /exec format|ENOEXEC|ended at once/],
] as const) {
  test(`connect() tells why when the launcher ${what}`, async () => {
    using directory = mkdtempDisposableSync("/tmp/al-");
    const path = join(directory.path, "aurae-launcher");
    writeFileSync(path, script);
    chmodSync(path, 0o700);
    const launcher = new Launcher({
      socketPath: join(directory.path, "launcher.sock"),
      shimDir: directory.path,
      prepareCgroups: () => [],
    });

    await assert.rejects(launcher.connect(), (cause) => {
      assert.match(String(cause), words);
      return hasReason("SHIM_UNUSABLE")(cause);
    });
  });
}
