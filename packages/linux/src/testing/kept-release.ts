import { chmodSync, cpSync, readdirSync, readFileSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import type { AdoptedCell } from "@aurae/domain/cells";
import type { LinuxSetting } from "./linux-setting.ts";

/**
 * What was kept of each release, so that this version is held to it for ever: `keep-release.ts` makes it.
 *
 *     releases/<version>/state/cells, state/logs    what lay in the two directories while cells ran
 *                        adopted.json               what that version made of it when it came back
 *                        shim-<arch>/               its shim
 */
export const releasesDir: string = join(import.meta.dirname, "releases");

export const keptReleases: readonly string[] = readdirSync(releasesDir).toSorted();

/** The boot that all kept state is of. */
export const keptBootId = "6b657074-0000-4000-8000-626f6f740000";

/** Where the shim of a release is, if it was built for this kind of machine. */
export function keptShim(version: string): string {
  return join(releasesDir, version, `shim-${arch()}`);
}

/** Lay the state of a release into the directories of a host that has none yet, and start that anew. */
export async function layState(setting: LinuxSetting, version: string): Promise<void> {
  const state = join(releasesDir, version, "state");
  for (const [from, to] of [
    ["cells", join(setting.runtimeDir, "cells")],
    ["logs", join(setting.libraryDir, "logs")],
  ] as const) {
    cpSync(join(state, from), to, { recursive: true });
    // Git keeps no modes but one.
    for (const entry of readdirSync(to, { recursive: true, withFileTypes: true })) {
      chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o700 : 0o600);
    }
  }
  await setting.restart();
}

/** What was made of the state of a release when it was new. */
export function expectedOf(version: string): unknown {
  return JSON.parse(readFileSync(join(releasesDir, version, "adopted.json"), "utf8"));
}

/** What a daemon knows of cells, as JSON; without the time at which it found something lost. */
export function summarize(cells: readonly AdoptedCell[]): unknown {
  const summary = cells.map(({ enclosure, name, spec, failed, runs }) => ({
    ...{ id: enclosure.id, name, spec, failed },
    runs: runs.map(({ report, spec: asked }) => ({ report: timeless(report), spec: asked })),
  }));
  return JSON.parse(JSON.stringify(summary, toJson));
}

function timeless(report: AdoptedCell["runs"][number]["report"]): object {
  const { end, ...rest } = report;
  if (end?.reason !== "lost") return report;
  const { endedAtNs: _, ...known } = end;
  return { ...rest, end: known };
}

function toJson(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Map) return Object.fromEntries(value);
  return value instanceof Set ? [...value] : value;
}
