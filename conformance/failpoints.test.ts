import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempDisposableSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { CellService } from "@aurae/api/runtime";
import { crashSteps, shimSteps } from "@aurae/domain/failpoint-names";
import { WireClient } from "./client.ts";
import { type Daemon, needsRoot, startDaemon } from "./daemon.ts";
import { Failpoints } from "./failpoints.ts";
import { PipeLines } from "./pipe-lines.ts";
import { until } from "./until.ts";

/** That failpoints are where their names say, and that a release has none. */

const root = `${import.meta.dirname}/..`;
const shim = `${root}/native/cell-shim`;
const programs = ["launcher", "supervisor", "stage"].map((name) => `aurae-${name}`);
const shimPoints = readdirSync(shim)
  .filter((file) => file.endsWith(".c"))
  .map((file) => readFileSync(`${shim}/${file}`, "utf8"))
  .flatMap((text) => [...text.matchAll(/FAILPOINT\("([^"]+)"\)/g)].map(([, name = ""]) => name));
const daemonSteps = crashSteps.filter((step) => !shimSteps.some((each) => each === step));
const allPoints = [...new Set([...crashSteps, ...shimPoints])];

/** One Allocate, Start, Stop and Free. The executable does not heed SIGTERM, and is killed. */
async function cycle(daemon: Daemon, replied: (step: string) => Promise<void>): Promise<void> {
  using client = new WireClient(daemon);
  using up = new PipeLines(`${daemon.directory}/up`);
  const cellName = "cycle";
  const command = `trap '' TERM; echo up > ${up.path}; while :; do sleep 1000; done`;
  await client.allocate({ name: cellName });
  await replied("allocate.8.replied");
  await client.call(CellService.method.start, { executable: { name: "main", command, cellName } });
  await up.next();
  await replied("start.7.replied");
  await client.call(CellService.method.stop, { cellName, executableName: "main", graceMs: 50 });
  await replied("stop.8.replied");
  await client.free(cellName);
  await replied("free.10.replied");
}

function linesOf(path: string): readonly string[] {
  return readFileSync(path, "utf8").split("\n").filter(Boolean);
}

test("each failpoint is reached by Allocate, Start, Stop and Free where its name says, and once", {
  skip: needsRoot,
}, async () => {
  await using daemon = await startDaemon({ failpoints: true });
  using failpoints = new Failpoints(daemon);
  failpoints.arm(allPoints.map((name) => `${name}=print`).join(";"));

  await cycle(daemon, async (step) => {
    await until(
      () => linesOf(failpoints.printed),
      (names) => names.includes(step),
    );
  });

  const names = linesOf(failpoints.printed);
  // Who of both is first at its next point nobody knows.
  for (const steps of [daemonSteps, shimSteps])
    assert.deepEqual(
      names.filter((name) => steps.some((step) => step === name)),
      steps,
    );
  // A stage is cloned for the cell's init too.
  assert.deepEqual(names.toSorted(), [...allPoints, "stage.cloned"].toSorted());
});

test("a release passes every failpoint, whatever its environment says", {
  skip: needsRoot,
}, async () => {
  await using daemon = await startDaemon();
  using failpoints = new Failpoints(daemon);
  failpoints.arm(allPoints.map((name) => `${name}=kill`).join(";"));

  await cycle(daemon, async () => undefined);

  assert.equal(daemon.isRunning(), true);
});

test("the shim of a release has no failpoint, and that of the tests has each", () => {
  const released = textOf(`${shim}/build`);
  const forTests = textOf(`${shim}/build/failpoints`);

  assert.deepEqual(
    [...shimPoints, "failpoint"].filter((name) => released.includes(name)),
    [],
  );
  assert.deepEqual(
    [...shimPoints, "failpoint"].filter((name) => !forTests.includes(name)),
    [],
  );
});

function textOf(directory: string): string {
  return programs.map((name) => readFileSync(`${directory}/${name}`, "latin1")).join("");
}

test("what is packed has no armed failpoint, and does not start when it is asked for them", () => {
  using directory = mkdtempDisposableSync("/tmp/aurae-pack-");
  const pack = ["pack", "--silent", "--ignore-scripts", "--pack-destination", directory.path];
  const packages = ["domain", "auraed"].map((name) => `${root}/packages/${name}`);
  for (const path of packages) execFileSync("npm", [...pack, path]);
  const files = readdirSync(directory.path).flatMap((archive) =>
    execFileSync("tar", ["-tf", `${directory.path}/${archive}`], { encoding: "utf8" }).split("\n"),
  );
  const domain = readdirSync(directory.path).find((name) => name.includes("domain")) ?? "";
  execFileSync("tar", ["-xf", `${directory.path}/${domain}`, "-C", directory.path]);

  assert.ok(files.includes("package/src/failpoints/none.ts"));
  assert.ok(files.includes("package/src/process/shim-directory.ts"));
  assert.deepEqual(
    files.filter((file) => /\/testing\/|\.test\.ts$/.test(file)),
    [],
  );
  const cwd = `${directory.path}/package`;
  const load = ["--input-type=module", "--eval", 'await import("@aurae/domain/failpoints")'];
  execFileSync(process.execPath, load, { cwd });
  assert.throws(
    () =>
      execFileSync(process.execPath, ["--conditions=failpoints", ...load], { cwd, stdio: "pipe" }),
    /ERR_MODULE_NOT_FOUND/,
  );
});
