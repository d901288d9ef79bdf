/** Checks that imports follow the arrows of ARCHITECTURE.md, and that no file escaped the check. */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";

/** The part of dependency-cruiser's JSON that is read here. */
interface Cruise {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly Violation[];
    readonly ruleSetUsed: { readonly forbidden: readonly Rule[] };
  };
}

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

interface Rule {
  readonly name: string;
  readonly comment: string;
}

const files = globSync(["packages/*/src/**/*.ts", "{conformance,bench,demo}/**/*.ts"], {
  exclude: ["**/node_modules", "**/dist"],
});
const { modules, summary } = cruise(files);

for (const { rule, from, to } of summary.violations) {
  const why = summary.ruleSetUsed.forbidden.find(({ name }) => name === rule.name)?.comment;
  console.error(`${from} → ${to}\n  ${rule.name}: ${why}`);
}

// With a compiler that it does not know, dependency-cruiser reads nothing and reports no violation.
const read = new Set(modules.map(({ source }) => source));
const escaped = files.filter((file) => !read.has(file));
if (escaped.length > 0) console.error(`Cannot check layers: not read: ${escaped.join(", ")}`);

process.exitCode = summary.violations.length + escaped.length > 0 ? 1 : 0;

function cruise(paths: readonly string[]): Cruise {
  const rules = join(import.meta.dirname, "../.dependency-cruiser.cjs");
  const args = ["--config", rules, "--output-type", "json", ...paths];
  const { stdout, stderr } = spawnSync("depcruise", args, { encoding: "utf8", maxBuffer: 2 ** 28 });
  if (stdout === "") throw new Error(`Cannot check layers: ${stderr}`);

  return JSON.parse(stdout) as Cruise;
}
