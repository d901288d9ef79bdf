import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempDisposableSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import type { CatalogRun } from "./catalog-files.ts";
import { LogCatalog } from "./log-catalog.ts";
import { LogKeeper } from "./retention.ts";

const [one, two, three] = ["1".repeat(16), "2".repeat(16), "3".repeat(16)];

test("findByPid() gives the run that had the pid last, whichever cell it was in", (t) => {
  const { catalog } = createCatalog(t);
  catalog.cellAllocated(one, "web" as never);
  catalog.cellAllocated(two, "db" as never);
  catalog.runStarted(one, run(1, "main", 42, 10n));
  catalog.runStarted(two, run(1, "main", 42, 20n));

  assert.deepEqual(catalog.findByPid(42), { cellId: two, executable: "main", run: 1 });
  assert.equal(catalog.findByPid(43), undefined);
});

test("findByPid() gives the run that lives, also when the clock was set back", async (t) => {
  const { catalog, directory } = createCatalog(t);
  catalog.cellAllocated(one, "web" as never);
  catalog.cellAllocated(two, "db" as never);
  catalog.runStarted(one, run(1, "main", 42, 2000n));
  catalog.runStarted(two, run(1, "main", 42, 1000n));
  assert.equal(catalog.findByPid(42)?.cellId, two);
  await catalog.flush();

  const again = open(directory, "boot");
  again.cellAdopted(one, "web" as never);
  again.cellAdopted(two, "db" as never);
  again.runFound(two, run(1, "main", 42, 1000n), true);
  again.runFound(one, run(1, "main", 42, 2000n), false);

  assert.equal(again.findByPid(42)?.cellId, two);
});

test("findByName() gives the cell that came last, also when the clock was set back", async (t) => {
  const { catalog, directory } = createCatalog(t);
  t.mock.timers.enable({ apis: ["Date"], now: 2_000_000 });
  catalog.cellAllocated(one, "web" as never);
  catalog.runStarted(one, run(1, "main", 1, 1n));
  catalog.cellFreed(one);
  t.mock.timers.setTime(1_000_000);
  catalog.cellAllocated(two, "web" as never);
  catalog.runStarted(two, run(1, "main", 2, 2n));
  t.mock.timers.reset();
  await catalog.flush();

  for (const any of [catalog, open(directory, "boot"), open(directory, "another boot")]) {
    assert.equal(any.findByName("web" as never, "main" as never, 1)?.cellId, two);
  }
});

test("findByName() prefers a cell that lives", async (t) => {
  const { catalog, directory } = createCatalog(t);
  for (const id of [one, two]) {
    catalog.cellAllocated(id, "web" as never);
    catalog.runStarted(id, run(1, "main", 1, 1n));
  }
  await catalog.flush();
  const again = open(directory, "boot");

  again.cellAdopted(one, "web" as never);

  const found = again.findByName("web" as never, "main" as never, undefined);
  assert.equal(found?.cellId, one);
});

test("findByName() gives the latest run, in the cell of that name allocated last", (t) => {
  const { catalog } = createCatalog(t);
  catalog.cellAllocated(one, "web" as never);
  catalog.runStarted(one, run(1, "main", 1, 1n));
  catalog.cellAllocated(two, "web" as never);
  assert.equal(catalog.findByName("web" as never, "main" as never, undefined), undefined);

  catalog.runStarted(two, run(1, "main", 2, 2n));
  catalog.runStarted(two, run(2, "main", 3, 3n));

  const found = catalog.findByName("web" as never, "main" as never, undefined);
  assert.deepEqual(found, { cellId: two, executable: "main", run: 2 });
});

test("findByName() finds an earlier run as long as its log is kept", (t) => {
  const { catalog } = createCatalog(t);
  catalog.cellAllocated(one, "web" as never);
  for (const number of [1, 2, 3]) catalog.runStarted(one, run(number, "main", number, 1n));
  mkdirSync(join(catalog.directoryOf(one), "main"));
  writeFileSync(join(catalog.directoryOf(one), "main", "2.log.4"), "");

  assert.equal(catalog.findByName("web" as never, "main" as never, 2)?.run, 2);
  assert.equal(catalog.findByName("web" as never, "main" as never, 1), undefined);
});

test("a new catalog knows what the old one knew, but no pids of another boot (fault 60)", async (t) => {
  const { catalog, directory } = createCatalog(t);
  catalog.cellAllocated(one, "web" as never);
  catalog.runStarted(one, run(1, "main", 42, 10n));
  catalog.runStarted(one, run(2, "main", 43, 20n));
  await catalog.flush();

  const same = open(directory, "boot");
  const other = open(directory, "another boot");

  assert.equal(same.findByPid(42)?.run, 1);
  assert.equal(other.findByPid(42), undefined);
  assert.equal(other.findByName("web" as never, "main" as never, undefined)?.run, 2);
});

test("a catalog reads the lines before and after one that is damaged (fault 61)", async (t) => {
  const { catalog, directory, warnings } = createCatalog(t);
  catalog.cellAllocated(one, "web" as never);
  catalog.runStarted(one, run(1, "main", 42, 10n));
  await catalog.flush();
  const file = join(directory, one, "runs.jsonl");
  appendFileSync(
    file,
    '{"run":2,"execut\n{"run":3,"executable":"x","pid":44,"startedAtNs":"3"}\n{"ru',
  );

  const again = open(directory, "boot", warnings);

  assert.deepEqual([again.findByPid(42)?.run, again.findByPid(44)?.run], [1, 3]);
  assert.equal(warnings.length, 2);
});

test("a line after one that was cut off is whole", async (t) => {
  const { catalog, directory } = createCatalog(t);
  catalog.cellAllocated(one, "web" as never);
  await catalog.flush();
  appendFileSync(join(directory, one, "runs.jsonl"), '{"run":1,');

  const again = open(directory, "boot");
  again.runStarted(one, run(2, "main", 45, 10n));
  await again.flush();

  assert.equal(open(directory, "boot").findByPid(45)?.run, 2);
});

test("a live cell whose cell.json is damaged keeps its logs, and is named anew", async (t) => {
  const { catalog, directory } = createCatalog(t);
  catalog.cellAllocated(one, "web" as never);
  catalog.runStarted(one, run(1, "main", 42, 10n));
  await catalog.flush();
  mkdirSync(join(directory, one, "main"));
  writeFileSync(join(directory, one, "main", "1.log"), "kept");
  writeFileSync(join(directory, one, "cell.json"), "{");

  const again = open(directory, "boot");
  again.cellAdopted(one, "web" as never);
  again.runStarted(one, run(1, "main", 42, 10n));
  await again.flush();

  assert.equal(readFileSync(join(directory, one, "main", "1.log"), "utf8"), "kept");
  assert.equal(again.findByPid(42)?.run, 1);
  const third = open(directory, "boot");
  assert.equal(third.findByName("web" as never, "main" as never, 1)?.cellId, one);
});

test("runForgotten() removes the log of a run, and what was known of it", async (t) => {
  const { catalog, directory } = createCatalog(t);
  catalog.cellAllocated(one, "web" as never);
  for (const number of [1, 2]) catalog.runStarted(one, run(number, "main", 40 + number, 1n));
  catalog.runStarted(one, run(3, "other", 43, 1n));
  for (const file of ["main/1.log", "main/1.log.1", "main/2.log.7", "other/3.log"]) {
    mkdirSync(dirname(join(directory, one, file)), { recursive: true });
    writeFileSync(join(directory, one, file), "");
  }

  catalog.runForgotten(one, run(1, "main", 41, 1n), true);
  assert.deepEqual(readdirSync(join(directory, one, "main")), ["2.log.7"]);
  catalog.runForgotten(one, run(2, "main", 42, 1n), true);
  assert.deepEqual(readdirSync(join(directory, one, "main")), []);
  catalog.runForgotten(one, run(3, "other", 43, 1n), false);

  assert.equal(existsSync(join(directory, one, "other")), false);
  assert.equal(catalog.findByPid(41), undefined);
  assert.equal(catalog.findByName("web" as never, "main" as never, undefined), undefined);
});

test("runs.jsonl has twice the lines of the runs that are kept at most", async (t) => {
  const { catalog, directory } = createCatalog(t);
  catalog.cellAllocated(one, "web" as never);
  for (let number = 1; number <= 40; number++) {
    catalog.runStarted(one, run(number, "main", 100 + number, 1n));
    if (number > 3) catalog.runForgotten(one, run(number - 3, "main", 97 + number, 1n), true);
    if (number % 5 === 0) await catalog.flush();
  }
  await catalog.flush();

  const lines = readFileSync(join(directory, one, "runs.jsonl"), "utf8")
    .split("\n")
    .filter(Boolean);
  assert.ok(lines.length <= 6, `${lines.length} lines`);
  const again = open(directory, "boot");
  for (const pid of [138, 139, 140]) assert.equal(again.findByPid(pid)?.run, pid - 100);
});

test("retain() removes logs of freed cells by age, number and size, the oldest first", async (t) => {
  const day = 24 * 3600 * 1000;
  for (const [retention, kept] of [
    [{ maxAgeMs: 8 * day, maxBytes: 1e9, maxCells: 10 }, [one, two, three]],
    [{ maxAgeMs: day, maxBytes: 1e9, maxCells: 10 }, []],
    [{ maxAgeMs: 8 * day, maxBytes: 1e9, maxCells: 1 }, [three]],
    [{ maxAgeMs: 8 * day, maxBytes: 2500, maxCells: 10 }, [two, three]],
  ] as const) {
    const { catalog, directory } = createCatalog(t);
    for (const [at, id] of [one, two, three].entries()) free(catalog, id, at, t);
    await catalog.flush();

    await new LogKeeper(catalog, retention).retain(Date.now() + 7 * day);

    assert.deepEqual(readdirSync(directory).toSorted(), kept);
  }
});

test("retain() takes the newest line of a cell that a boot ended for its end", async (t) => {
  const { catalog, directory } = createCatalog(t);
  catalog.cellAllocated(one, "web" as never);
  mkdirSync(join(directory, one, "main"));
  writeFileSync(join(directory, one, "main", "1.log"), "");
  await catalog.flush();
  const now = Date.now();
  const [day, week] = [24 * 3600 * 1000, 7 * 24 * 3600 * 1000];
  const longAgo = new Date(now - 2 * week);
  for (const path of ["", "cell.json", "main"])
    utimesSync(join(directory, one, path), longAgo, longAgo);
  utimesSync(join(directory, one, "main", "1.log"), longAgo, new Date(now - day));
  const again = open(directory, "another boot");

  await new LogKeeper(again, { maxAgeMs: week, maxBytes: 1e9, maxCells: 10 }).retain(now);

  assert.deepEqual(readdirSync(directory), [one]);
});

test("retain() does not touch a live cell, and takes one of an earlier boot for freed", async (t) => {
  const { catalog, directory } = createCatalog(t);
  catalog.cellAllocated(one, "web" as never);
  catalog.cellAllocated(two, "db" as never);
  catalog.cellAllocated(three, "unknown" as never);
  await catalog.flush();
  const again = open(directory, "boot");
  again.cellAdopted(one, "web" as never);
  again.cellUnknown(three);

  await new LogKeeper(again, { maxAgeMs: -1e6, maxBytes: 0, maxCells: 0 }).retain(Date.now());

  assert.deepEqual(readdirSync(directory).toSorted(), [one, three]);
});

interface Setting {
  readonly catalog: LogCatalog;
  readonly directory: string;
  readonly warnings: string[];
}

function createCatalog(t: TestContext): Setting {
  const temporary = mkdtempDisposableSync("/tmp/al-");
  const directory = join(temporary.path, "logs");
  const warnings: string[] = [];
  const catalog = open(directory, "boot", warnings);
  t.after(async () => {
    await catalog.flush();
    temporary.remove();
  });
  return { catalog, directory, warnings };
}

function open(directory: string, bootId: string, warnings: string[] = []): LogCatalog {
  const common = { directory, bootId, keptRuns: 3 };
  return new LogCatalog({ ...common, warn: (message) => warnings.push(message) });
}

/** A freed cell with a log of a thousand bytes. */
function free(catalog: LogCatalog, id: string, at: number, t: TestContext): void {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + at });
  catalog.cellAllocated(id, "web" as never);
  mkdirSync(join(catalog.directoryOf(id), "main"));
  writeFileSync(join(catalog.directoryOf(id), "main", "1.log"), Buffer.alloc(1000));
  catalog.cellFreed(id);
  t.mock.timers.reset();
}

function run(number: number, executable: string, pid: number, startedAtNs: bigint): CatalogRun {
  return { run: number, executable: executable as never, pid, startedAtNs };
}
