import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const root = `${import.meta.dirname}/..`;
const sources = globSync("packages/{domain,linux,auraed}/src/**/*.ts", {
  cwd: root,
  exclude: ["**/*.test.ts", "**/testing/**", "**/testing.ts"],
});

/** The launcher's own child, which nobody else reaps: until then its pid is its own. */
const allowed = ["packages/linux/src/shim/launcher.ts"];

test("the daemon signals nothing by pid: what it ends, supervisors and cgroups end (fault 45)", () => {
  const signaling = sources.filter((path) => {
    const text = readFileSync(`${root}/${path}`, "utf8");
    return /process\s*\.\s*kill\b|\bkill\b[^;]*from "(node:)?process"|\.kill\("|"kill"/.test(text);
  });

  assert.ok(sources.length > 50);
  assert.deepEqual(signaling, allowed);
});
