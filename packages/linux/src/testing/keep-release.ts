import { chmodSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { keptBootId, keptShim, layState, releasesDir, summarize } from "./kept-release.ts";
import { LinuxSetting } from "./linux-setting.ts";
import { firstLine } from "./log-text.ts";
import { executableName, WatchedCell } from "./watched-cell.ts";

/*
 * Keep what this version writes, and its shim, as test data: once, when it is released. Run by
 * `make keep VERSION=1.2.3`; a release that is kept is never written again.
 */

const [version = ""] = process.argv.slice(2);
if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error("Say which version this is: 1.2.3");
const release = join(releasesDir, version);
mkdirSync(release);

const shim = keptShim(version);
for (const name of ["aurae-launcher", "aurae-supervisor", "aurae-stage"]) {
  cpSync(join(import.meta.dirname, "../../../../native/cell-shim/build", name), join(shim, name));
  chmodSync(join(shim, name), 0o755);
}
await keepState();
await keepWhatIsMadeOfIt();

async function keepState(): Promise<void> {
  await using setting = new LinuxSetting({ bootId: keptBootId });
  const limits = { memoryMaxBytes: 64n * 1024n * 1024n };
  const team = await WatchedCell.allocate(setting.host, "team", { limits });
  const shared = new Set(["network"] as const);
  const web = await WatchedCell.allocate(setting.host, "team/web", { shared }, team);
  await runAll(setting, web);
  const { enclosure } = await WatchedCell.allocate(setting.host, "half");
  setting.uncommit(enclosure.id);
  await setting.logs.catalog.flush();

  const options = { recursive: true, filter: isNoSocket };
  cpSync(join(setting.runtimeDir, "cells"), join(release, "state/cells"), options);
  cpSync(join(setting.libraryDir, "logs"), join(release, "state/logs"), options);
}

function isNoSocket(path: string): boolean {
  return !basename(path).endsWith(".sock");
}

/** One that exits, one that is killed, one that is stopped, one that runs on. */
async function runAll(setting: LinuxSetting, cell: WatchedCell): Promise<void> {
  const env = new Map([["GREETING", 'hé "quoted"\nand a second line']]);
  const words = "echo out; echo err >&2; printf part; exit 4";
  await cell.start(1, words, { env, name: executableName("words") });
  await cell.closed(1);
  await cell.start(2, "kill -9 $$", { name: executableName("killed") });
  await cell.closed(2);
  await cell.start(3, "sleep", { args: ["1000"], name: executableName("stopped") });
  await cell.enclosure.stop(3, 10_000);
  await cell.start(4, "echo ready; exec sleep 1000");
  await firstLine(setting, cell, 4);
}

async function keepWhatIsMadeOfIt(): Promise<void> {
  await using setting = new LinuxSetting({ bootId: keptBootId });
  await layState(setting, version);
  const adopted = summarize(await setting.host.adopt());
  writeFileSync(join(release, "adopted.json"), `${JSON.stringify(adopted, undefined, 2)}\n`);
}
