import assert from "node:assert/strict";
import { test } from "node:test";
import type { CellName } from "../cells/cell-name.ts";
import { Cells } from "../cells/cells.ts";
import type { ExecutableName } from "../cells/executable-spec.ts";
import { FakeHost } from "../cells/fake-host.ts";
import { parseCell } from "../cells/parse-cell.ts";
import { parseExecutable } from "../cells/parse-executable.ts";
import type { Gate } from "../gate.ts";
import type { LogKey, LogStore } from "./log-store.ts";
import { Logs } from "./logs.ts";

const { signal } = new AbortController();
const query = {
  channels: new Set(["stdout"] as const),
  follow: true,
  sinceNs: 0n,
  tail: undefined,
};
const web = "web" as CellName;
const server = "server" as ExecutableName;

/** A store that has one log, and remembers what it was told about its end. */
function storeWith(key: LogKey | undefined) {
  const told: { complete?: Gate } = {};
  const store: LogStore = {
    async *read(_key, _query, run) {
      told.complete = run.logComplete;
      yield { kind: "gap", atNs: 0n, linesDropped: 1n, segmentsRemoved: 0n };
    },
    findByPid: () => key,
    findByName: () => key,
  };
  return { store, told };
}

async function runningCell(): Promise<{ readonly cells: Cells; readonly key: LogKey }> {
  const cells = new Cells(new FakeHost());
  const { name, spec } = parseCell({ name: "web", cpuShares: 0n, labels: {} });
  await cells.allocate(name, spec, signal);
  const raw = { description: "", args: [], env: {}, workingDirectory: "", noShell: false };
  const executable = parseExecutable({
    ...raw,
    name: "server",
    command: "sleep 9",
    cellName: "web",
  });
  const { run } = await cells.start(web, executable.spec, signal);
  return { cells, key: { cellId: cells.get(web).enclosure?.id ?? "", executable: server, run } };
}

test("open() tells the store when the log of a live run is complete", async () => {
  const { cells, key } = await runningCell();
  const { store, told } = storeWith(key);

  const { entries } = new Logs(cells, store).open({ kind: "pid", pid: 1001 }, query, signal);
  await Array.fromAsync(entries);
  assert.equal(told.complete?.isOpen, false);
  await cells.stop(web, server, 0, signal);

  assert.equal(told.complete?.isOpen, true);
});

test("open() takes the log of a run that nobody remembers for complete", async () => {
  const { store, told } = storeWith({ cellId: "ff", executable: server, run: 3 });

  const { entries } = new Logs(new Cells(new FakeHost()), store).open(
    { kind: "pid", pid: 7 },
    query,
    signal,
  );
  await Array.fromAsync(entries);

  assert.equal(told.complete?.isOpen, true);
});

test("open() says what is missing: the process, the cell or the executable", async () => {
  const { cells } = await runningCell();
  const logs = new Logs(cells, storeWith(undefined).store);
  const named = { kind: "name", cell: web, executable: server, run: undefined } as const;

  assert.throws(() => logs.open({ kind: "pid", pid: 7 }, query, signal), {
    reason: "LOG_NOT_FOUND",
  });
  assert.throws(() => logs.open({ ...named, cell: "x" as CellName }, query, signal), {
    reason: "CELL_NOT_FOUND",
  });
  const other = { ...named, executable: "x" as ExecutableName };
  assert.throws(() => logs.open(other, query, signal), { reason: "EXECUTABLE_NOT_FOUND" });
});
