import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempDisposableSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";

const wrong = [
  ["api-is-generated", "packages/api/src/a.ts", "@aurae/domain/cells"],
  ["auraed-is-the-server", "packages/auraed/src/a.ts", "@aurae/client"],
  ["cli-goes-through-the-client", "packages/cli/src/a.ts", "@aurae/api/runtime"],
  ["client-knows-the-wire-only", "packages/client/src/a.ts", "@aurae/domain/errors"],
  ["conformance-is-a-black-box", "conformance/a.test.ts", "@aurae/pki"],
  ["domain-is-pure", "packages/domain/src/a.ts", "node:fs"],
  ["domain-is-pure", "packages/domain/src/b.ts", "@grpc/grpc-js"],
  ["domain-is-pure", "packages/domain/src/c.ts", "@aurae/linux"],
  ["fakes-stay-in-tests", "packages/linux/src/a.ts", "@aurae/domain/testing"],
  ["linux-knows-domain-only", "packages/linux/src/b.ts", "@aurae/api/runtime"],
  ["no-cycles", "packages/pki/src/a.ts", "./b.ts"],
  ["no-reaching-in", "packages/linux/src/c.ts", "../../domain/src/a.ts"],
  ["no-reaching-in-from-outside", "bench/a.ts", "../packages/client/src/a.ts"],
  ["only-main-wires", "packages/auraed/src/b.ts", "@aurae/linux"],
  ["pki-stands-alone", "packages/pki/src/c.ts", "@bufbuild/protobuf"],
  ["services-dont-touch-the-machine", "packages/auraed/src/services/a.ts", "node:net"],
  ["users-use-the-client", "demo/a.ts", "@aurae/auraed"],
] as const;

const right = [
  ["packages/auraed/src/main.ts", "@aurae/linux"],
  ["packages/auraed/src/c.test.ts", "@aurae/pki"],
  ["packages/cli/src/b.ts", "@aurae/client"],
  ["packages/linux/src/d.ts", "@aurae/domain/cells"],
  ["packages/pki/src/b.ts", "./a.ts"],
] as const;

test("check-layers finds every wrong arrow, lets the right ones through, and reads every file", () => {
  using project = mkdtempDisposableSync("/tmp/aurae-layers-");
  for (const [, file, imported] of wrong) plant(project.path, file, imported);
  for (const [file, imported] of right) plant(project.path, file, imported);

  const { stderr } = spawnSync(process.execPath, [resolve("tools/check-layers.ts")], {
    cwd: project.path,
    encoding: "utf8",
  });

  for (const [rule, file] of wrong) assert.match(stderr, new RegExp(`${file} → .*\n  ${rule}:`));
  for (const [file] of right.slice(0, -1)) assert.ok(!stderr.includes(`${file} →`), stderr);
  assert.ok(!stderr.includes("not read"), stderr);
});

function plant(root: string, file: string, imported: string): void {
  mkdirSync(join(root, dirname(file)), { recursive: true });
  writeFileSync(join(root, file), `import "${imported}";\n`);
}
