import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Cells } from "@aurae/domain/cells";
import { readRecordFile } from "./shim/record.ts";
import { assertNothingLeft, nextTurn, settledCensus } from "./testing/leak-oracle.ts";
import { skipWithoutKernel as skip, warmSetting } from "./testing/linux-setting.ts";
import { misbehave } from "./testing/misbehave.ts";
import { cellName, executableName, program, WatchedCell } from "./testing/watched-cell.ts";

/** What raises a signal leaves with this when it lives on. */
const survived = 200;
const stop = 19; // SIGSTOP ends nothing: fault 39.
/** SIGCHLD, SIGCONT, SIGURG, SIGWINCH do nothing; SIGTSTP, SIGTTIN, SIGTTOU cannot stop who leads a session: signal(7). */
const harmless = new Set([17, 18, 23, 28, 20, 21, 22]);
/** SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS: signal(7). */
const dumping = new Set([3, 4, 5, 6, 7, 8, 11, 24, 25, 31]);

test("every exit code is told as it was (fault 43)", { skip }, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web", { limits: { pidsMax: 1000 } });
  const codes = Array.from({ length: 256 }, (_, code) => code);

  await Promise.all(
    codes.map((code) => cell.start(code + 1, `exit ${code}`, { name: executableName(`e${code}`) })),
  );
  const ends = await Promise.all(codes.map((code) => cell.closed(code + 1)));

  assert.deepEqual(
    ends.map(({ end }) => [end?.reason, end?.exitCode, end?.signal]),
    codes.map((code) => ["exited", code, undefined]),
  );
  await cell.enclosure.end(0);
});

test("every signal that ends a run is told, with the core it left (fault 43)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web", { limits: { pidsMax: 200 } });
  const signals = Array.from({ length: 64 }, (_, index) => index + 1).filter((n) => n !== stop);

  await Promise.all(
    signals.map((signal) => {
      // Each has a directory, for its core: two that write the same file at once leave one.
      const workingDirectory = mkdtempSync(join(setting.directory, "core-"));
      const more = { name: executableName(`s${signal}`), workingDirectory };
      return cell.start(signal, `exec ${misbehave} raise ${signal}`, more);
    }),
  );
  const ends = await Promise.all(signals.map((signal) => cell.closed(signal)));

  const writesCores = canWriteCores();
  assert.deepEqual(
    ends.map(({ end }) => [end?.reason, end?.exitCode ?? end?.signal, end?.coreDumped]),
    signals.map((signal) =>
      harmless.has(signal)
        ? ["exited", survived, false]
        : ["signaled", signal, writesCores && dumping.has(signal)],
    ),
  );
  await cell.enclosure.end(0);
});

test("Start of what ends before it has answered tells its pid, and then its end (fault 44)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const before = await settledCensus(setting);
  const cells = new Cells(setting.host);
  const web = cellName("web");
  const { signal } = new AbortController();
  const spec = { limits: { pidsMax: 1000 }, shared: new Set<never>(), labels: new Map() };
  await cells.allocate(web, spec, signal);
  const names = Array.from({ length: 250 }, (_, index) => executableName(`e${index}`));

  const started = await Promise.all(
    names.map((name) => cells.start(web, program("/bin/true", { name, noShell: true }), signal)),
  );
  const waits = names.map((name) => cells.wait(web, name, undefined, signal));
  const ended = (await Promise.all(waits)).flat().map(({ state }) => state);

  assert.deepEqual(
    ended.map((state) => state.kind === "ended" && [state.pid, state.end.exitCode]),
    started.map(({ pid }) => [pid, 0]),
  );
  await cells.free(web, 0, signal);
  await assertNothingLeft(setting, before);
});

test("Start whose answer comes together with the end forgets neither (fault 44)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cells = new Cells(setting.host);
  const web = cellName("web");
  const { signal } = new AbortController();
  const spec = { limits: { pidsMax: 64 }, shared: new Set<never>(), labels: new Map() };
  const { enclosure } = await cells.allocate(web, spec, signal);
  const starting = cells.start(web, program("exit 5"), signal);
  await nextTurn(); // It has been asked for.
  // Nothing is read meanwhile: what the supervisor says of both is there when we look again.
  const record = join(setting.runtimeDir, "cells", enclosure?.id ?? "", "runs/1");
  while (!hasEnded(record)) statSync(setting.runtimeDir);
  while (setting.readLimit("web/x-main", "cgroup.procs") !== "") statSync(setting.runtimeDir);
  const { pid } = await starting;

  const [run] = await cells.wait(web, executableName("main"), undefined, signal);
  const ended = run?.state.kind === "ended" ? run.state : undefined;
  assert.deepEqual([ended?.pid, ended?.end.exitCode], [pid, 5]);
  await cells.free(web, 0, signal);
});

/** Whether a core goes into a file here, and may: core(5). */
function canWriteCores(): boolean {
  const pattern = readFileSync("/proc/sys/kernel/core_pattern", "utf8");
  const limits = readFileSync("/proc/self/limits", "utf8");
  return !/^[|@]/.test(pattern) && !/^Max core file size +\S+ +0 /m.test(limits);
}

/** Whether a record tells an end; one that is being written tells nothing yet. */
function hasEnded(record: string): boolean {
  try {
    return readRecordFile(readFileSync(record)).end !== undefined;
  } catch {
    return false;
  }
}
