import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../errors.ts";
import { Gate } from "../gate.ts";
import { type CellName, parseCellName } from "./cell-name.ts";
import type { CellSpec } from "./cell-spec.ts";
import type { ExecutableName, ExecutableSpec } from "./executable-spec.ts";
import type { CellHost, Enclosure, RunReport } from "./host.ts";

/** A host of its own for each test, and what ends it. */
export interface HostUnderTest extends AsyncDisposable {
  readonly host: CellHost;
}

const spec: CellSpec = { limits: { pidsMax: 64 }, shared: new Set(), labels: new Map() };

/** What every {@link CellHost} keeps; `skip` says why the machine cannot try it. */
export function hostSuite(
  of: string,
  create: () => Promise<HostUnderTest>,
  skip: string | false,
): void {
  test(`${of}: start() tells the pid, then the end with its exit code`, { skip }, async () => {
    await using setting = await create();
    const cell = await enclose(setting.host, "suite-exit");

    const started = await cell.enclosure.start(1, program("exit 7"));
    await cell.closed(1);

    assert.ok(started.pid > 0);
    assert.equal(cell.last(1)?.pid, started.pid);
    assert.deepEqual([cell.last(1)?.end?.reason, cell.last(1)?.end?.exitCode], ["exited", 7]);
    await cell.enclosure.end(0);
  });

  test(`${of}: stop() resolves after the end was told, as aborted`, { skip }, async () => {
    await using setting = await create();
    const cell = await enclose(setting.host, "suite-stop");
    await cell.enclosure.start(1, program("sleep 1000"));

    await cell.enclosure.stop(1, 5000);

    assert.deepEqual([cell.last(1)?.end?.reason, cell.last(1)?.end?.signal], ["aborted", 15]);
    assert.equal(cell.last(1)?.treeIsEmpty, true);
    await cell.enclosure.end(0);
  });

  test(`${of}: stop() of a run that has ended does nothing`, { skip }, async () => {
    await using setting = await create();
    const cell = await enclose(setting.host, "suite-twice");
    await cell.enclosure.start(1, program("exit 0"));
    await cell.closed(1);

    await cell.enclosure.stop(1, 0);

    assert.equal(cell.last(1)?.end?.reason, "exited");
    await cell.enclosure.end(0);
  });

  test(`${of}: start() refuses a command that is not there, and the name is free again`, {
    skip,
  }, async () => {
    await using setting = await create();
    const cell = await enclose(setting.host, "suite-missing");

    await assert.rejects(
      cell.enclosure.start(1, { ...program("missing"), noShell: true }),
      hasReason("COMMAND_NOT_FOUND"),
    );
    await cell.enclosure.start(2, program("exit 0"));
    await cell.closed(2);

    await cell.enclosure.end(0);
  });

  test(`${of}: end() ends what runs and tells it before it resolves`, { skip }, async () => {
    await using setting = await create();
    const cell = await enclose(setting.host, "suite-end");
    await cell.enclosure.start(1, program("sleep 1000"));

    await cell.enclosure.end(5000);

    assert.equal(cell.last(1)?.end?.reason, "aborted");
    await assert.rejects(cell.enclosure.start(2, program("exit 0")), Failure);
  });

  test(`${of}: start() is refused from the first moment of end()`, { skip }, async () => {
    await using setting = await create();
    const cell = await enclose(setting.host, "suite-ending");

    const ended = cell.enclosure.end(0);

    const late = cell.enclosure.start(1, program("exit 0"));
    await Promise.all([assert.rejects(late, hasReason("CELL_STATE")), ended]);
  });

  test(`${of}: end() with a nearer deadline hurries the end that is under way`, {
    skip,
  }, async () => {
    await using setting = await create();
    const cell = await enclose(setting.host, "suite-hurry");
    await cell.enclosure.start(1, program("trap '' TERM; sleep 1000"));

    const slow = cell.enclosure.end(3_600_000);
    const quick = cell.enclosure.end(0);

    // The first may be told that the second has taken its place.
    await Promise.all([slow.catch(() => undefined), quick]);
    assert.equal(cell.last(1)?.end?.reason, "aborted");
  });

  test(`${of}: enclose() puts a child inside its parent`, { skip }, async () => {
    await using setting = await create();
    const parent = await enclose(setting.host, "suite-parent");
    const child = await enclose(setting.host, "suite-parent/child", parent.enclosure);

    await child.enclosure.start(1, program("exit 3"));
    await child.closed(1);

    assert.equal(child.last(1)?.end?.exitCode, 3);
    await child.enclosure.end(0);
    await parent.enclosure.end(0);
  });
}

/** A cell and the last that its host told of each run. */
async function enclose(host: CellHost, name: string, parent?: Enclosure): Promise<WatchedCell> {
  const enclosure = await host.enclose({ name: cellName(name), spec, parent });
  const reports = new Map<number, RunReport>();
  const gates = new Map<number, Gate>();
  function gateOf(run: number): Gate {
    const gate = gates.get(run) ?? new Gate();
    gates.set(run, gate);
    return gate;
  }
  enclosure.attach({
    runChanged: (report) => {
      reports.set(report.run, report);
      if (report.logIsComplete) gateOf(report.run).open();
    },
    failed: () => undefined,
  });
  return {
    enclosure,
    last: (run) => reports.get(run),
    closed: (run) => gateOf(run).wait(AbortSignal.timeout(20_000)),
  };
}

interface WatchedCell {
  readonly enclosure: Enclosure;
  last(run: number): RunReport | undefined;
  closed(run: number): Promise<void>;
}

function program(command: string): ExecutableSpec {
  return {
    ...{ name: "main" as ExecutableName, command, description: "", args: [], env: new Map() },
    ...{ workingDirectory: "/", uid: 0, gid: 0, noShell: false },
  };
}

function cellName(text: string): CellName {
  const name = parseCellName(text);
  assert.ok(typeof name === "string");
  return name;
}

function hasReason(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof Failure && error.reason === reason;
}
