import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { settledCensus } from "./testing/leak-oracle.ts";
import { skipWithoutKernel as skip, warmSetting } from "./testing/linux-setting.ts";
import { misbehave } from "./testing/misbehave.ts";
import { executableName, WatchedCell } from "./testing/watched-cell.ts";

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

test("runs that end before start() has answered are started, then ended (fault 44)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web", { limits: { pidsMax: 1000 } });
  const before = await settledCensus(setting);
  const numbers = Array.from({ length: 250 }, (_, index) => index + 1);

  const started = await Promise.all(
    numbers.map((run) =>
      cell.start(run, "/bin/true", { name: executableName(`e${run}`), noShell: true }),
    ),
  );
  const ends = await Promise.all(numbers.map((run) => cell.closed(run)));

  assert.deepEqual(
    ends.map(({ pid, end }) => [pid, end?.reason, end?.exitCode]),
    started.map(({ pid }) => [pid, "exited", 0]),
  );
  const after = await settledCensus(setting);
  assert.deepEqual([after.cgroups, after.processes], [before.cgroups, before.processes]);
  await cell.enclosure.end(0);
});

/** Whether a core goes into a file here, and may: core(5). */
function canWriteCores(): boolean {
  const pattern = readFileSync("/proc/sys/kernel/core_pattern", "utf8");
  const limits = readFileSync("/proc/self/limits", "utf8");
  return !/^[|@]/.test(pattern) && !/^Max core file size +\S+ +0 /m.test(limits);
}
