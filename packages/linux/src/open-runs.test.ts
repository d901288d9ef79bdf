import assert from "node:assert/strict";
import { mkdtempDisposableSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { CellDirectory } from "./cell-directory.ts";
import { CellCgroups } from "./cgroup/cell-cgroups.ts";
import { FakeCgroupFiles } from "./cgroup/fake-cgroup-files.ts";
import { News } from "./news.ts";
import { OpenRuns } from "./open-runs.ts";
import { nextTurn } from "./testing/leak-oracle.ts";
import { executableName } from "./testing/watched-cell.ts";

const name = executableName("main");

test("a cgroup that cannot be removed after a run is warned of, and ends nobody", async (t) => {
  const { runs, files, warnings } = createRuns(t);
  runs.begin(1, name);
  files.removeDirectory = () => {
    throw Object.assign(new Error("read-only file system"), { code: "EROFS" });
  };

  runs.changed(closedRun(1));
  await nextTurn();

  const why = "read-only file system";
  assert.deepEqual(warnings, [`Cannot clean up after "main" in cell "web": ${why}`]);
});

test("the log of a closed run goes when it is one too many, never that of an open one", async (t) => {
  const { runs, forgotten } = createRuns(t);
  runs.begin(1, executableName("server"));
  for (const run of [2, 3, 4]) {
    runs.begin(run, name);
    runs.changed(closedRun(run));
  }
  runs.begin(5, name);

  await nextTurn();

  assert.deepEqual(forgotten, [[2, true]]);
});

function createRuns(t: TestContext) {
  const temporary = mkdtempDisposableSync("/tmp/al-");
  t.after(() => temporary.remove());
  const files = new FakeCgroupFiles();
  files.mountV2("/cg", "pids");
  const hierarchy = {
    version: 2 as const,
    controllers: new Set(["pids"] as const),
    parent: "/",
    own: "/",
  };
  const cgroups = new CellCgroups(files, [{ hierarchy, directory: "/cg" }], []);
  const warnings: string[] = [];
  const forgotten: (readonly [run: number, isInUse: boolean])[] = [];
  const runs = new OpenRuns({
    cellName: "web",
    directory: new CellDirectory(temporary.path, 2),
    cgroups,
    news: new News(),
    forgetLog: (run, isInUse) => forgotten.push([run.run, isInUse]),
    warn: (message) => warnings.push(message),
  });
  return { runs, files, warnings, forgotten };
}

function closedRun(run: number) {
  const usage = {};
  const end = { reason: "exited" as const, exitCode: 0, coreDumped: false, endedAtNs: 2n, usage };
  return {
    record: { run, executable: name, pid: 42, startedAtNs: 1n, end: { ...end, linesDropped: 0n } },
    treeIsEmpty: true,
    logIsComplete: true,
  };
}
