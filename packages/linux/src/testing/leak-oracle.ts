import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { type Census, differencesSince, takeCensus } from "@aurae/conformance/oracle";
import type { LinuxSetting } from "./linux-setting.ts";

/** How long a supervisor that has said its last word may take to be gone. */
const settleMs = 5000;
const lookEveryMs = 20;

/** A census when nothing is on its way out: supervisors that have ended a cell are still leaving. */
export async function settledCensus(setting: LinuxSetting): Promise<Census> {
  await nextTurn();
  const signal = AbortSignal.timeout(settleMs);
  // One of them is the launcher.
  while (setting.shims.length - 1 > setting.cells && !signal.aborted) await delay(lookEveryMs);
  return censusOf(setting);
}

/** Directories of runs go in the turn after their ends were told. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Fail unless all is as it was. What the kernel tears down by itself is waited for. */
export async function assertNothingLeft(setting: LinuxSetting, before: Census): Promise<void> {
  assert.deepEqual(await differencesSince(before, () => censusOf(setting)), []);
}

/** The host of a setting lives in this process; its own directory in a tree is made when it is needed. */
function censusOf({ directory, nodeDirectories }: LinuxSetting): Census {
  const census = takeCensus({ directory, daemon: process.pid });
  const own = new Set(nodeDirectories);
  return { ...census, cgroups: census.cgroups.filter((path) => !own.has(path)) };
}
