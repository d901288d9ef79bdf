/**
 * Plants each bug of conformance/mutants, one at a time in a copy of the tree, and demands that tests see it:
 * at least one fails, and those that fail all hold a fault that the patch names.
 *
 *     node tools/check-mutants.ts              each patch applies and names its tests
 *     node tools/check-mutants.ts --run [NAME] run them (needs root); NAME: those whose file names contain it
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { run as runTests } from "node:test";
import { faultsIn } from "./fault-titles.ts";

interface Mutant {
  readonly name: string;
  readonly path: string;
  /** Rows of docs/faults.md. */
  readonly faults: readonly string[];
  readonly tests: readonly string[];
}

const root = resolve(import.meta.dirname, "..");
const copy = join(root, ".mutants");
/** Of one file of tests, in milliseconds. */
const timeout = 300_000;
// What is drawn at random is drawn often enough to meet the bug.
process.env["AURAE_MODEL_RUNS"] = "4000";
process.env["AURAE_SYSCALLS"] = "all";
const [command, filter = ""] = process.argv.slice(2);

const mutants = globSync("conformance/mutants/*.patch", { cwd: root }).toSorted().map(readMutant);
let complaints = 0;
for (const mutant of mutants) complain(findFlaws(mutant));
if (command === "--run" && complaints === 0) {
  makeCopy();
  try {
    for (const mutant of mutants.filter(({ name }) => name.includes(filter)))
      complain(await plant(mutant));
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
console.log(`mutants: ${mutants.length}, ${complaints} complaints`);
process.exitCode = complaints === 0 && mutants.length > 0 ? 0 : 1;

/** At once: a whole run takes a while. */
function complain(found: readonly string[]): void {
  for (const complaint of found) console.error(complaint);
  complaints += found.length;
}

function readMutant(path: string): Mutant {
  const text = readFileSync(join(root, path), "utf8");
  return {
    name: basename(path, ".patch"),
    path: join(root, path),
    faults: wordsOf(/^# faults: (.*)$/m, text),
    tests: wordsOf(/^# tests: (.*)$/m, text),
  };
}

function wordsOf(pattern: RegExp, text: string): readonly string[] {
  return pattern.exec(text)?.[1]?.split(/[ ,]+/).filter(Boolean) ?? [];
}

function findFlaws({ name, path, faults, tests }: Mutant): readonly string[] {
  const flaws: string[] = [];
  if (faults.length === 0) flaws.push("names no fault");
  if (tests.length === 0) flaws.push("names no test");
  for (const test of tests.filter((each) => !existsSync(join(root, each))))
    flaws.push(`names ${test}, which is not there`);
  const { status, stderr } = run(root, "git", ["apply", "-C1", "--check", path]);
  if (status !== 0) flaws.push(`does not apply: ${stderr.trim()}`);
  return flaws.map((flaw) => `${name} ${flaw}`);
}

/** Only what npm installed is linked: sources that have two names are refused by those who check. */
function makeCopy(): void {
  rmSync(copy, { recursive: true, force: true });
  const installed = globSync("{.,tools/node,packages/*}/node_modules", { cwd: root });
  const files = globSync("**", { cwd: root, exclude: ["**/node_modules", ".mutants"] });
  for (const file of files.filter((each) => statSync(join(root, each)).isFile())) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    copyFileSync(join(root, file), join(copy, file));
  }
  for (const path of installed) must(run(root, "cp", ["-al", path, join(copy, path)]));
}

async function plant(mutant: Mutant): Promise<readonly string[]> {
  const { name, path, faults, tests } = mutant;
  must(run(copy, "git", ["apply", "-C1", path]));
  try {
    must(run(copy, "make", ["-s", "-C", "native/cell-shim", "all", "failpoints"]));
    const failed = await failuresOf(tests);
    const strange = failed.filter(
      (title) => !faultsIn(title).some((fault) => faults.includes(String(fault))),
    );
    console.log(`${name}: ${failed.length} failed`);
    if (failed.length === 0) return [`${name} is seen by no test`];
    return strange.map((title) => `${name} makes another test fail: ${title}`);
  } finally {
    must(run(copy, "git", ["apply", "-C1", "-R", path]));
  }
}

/** The titles of the tests that fail in the copy. One whose subtests fail says no more than they do. */
async function failuresOf(files: readonly string[]): Promise<readonly string[]> {
  const failed: string[] = [];
  const events = runTests({ cwd: copy, files: files.map((file) => join(copy, file)), timeout });
  events.on("test:fail", ({ name, details }) => {
    const { error, type } = details;
    const isOwn = !("failureType" in error && error.failureType === "subtestsFailed");
    if (type !== "suite" && isOwn) failed.push(name);
  });
  await once(events.resume(), "end");
  return failed;
}

function run(cwd: string, program: string, args: readonly string[]) {
  // The copy is no repository, nor part of one: git takes the paths of a patch as they are.
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: root };
  return spawnSync(program, args, { cwd, env, encoding: "utf8", maxBuffer: 1 << 28 });
}

function must({ status, stderr }: ReturnType<typeof run>): void {
  if (status !== 0) throw new Error(`Cannot plant a bug: ${stderr}`);
}
