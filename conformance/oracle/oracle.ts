import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { mounts, rootsOf, type Watched } from "../host.ts";
import { descriptorsOf, socketsBelow } from "./descriptors.ts";
import { heldNamespacesOf, ownNamespacesOf, processesOf } from "./processes.ts";

/** What a test has on this machine. Taken before and after, it says what was left behind. */
export interface Census {
  /** Below its part of every tree of cgroups, that part itself too. */
  readonly cgroups: readonly string[];
  readonly processes: readonly string[];
  /** Children of the daemon, of a supervisor, of the launcher or of a program, that nobody reaps. */
  readonly zombies: readonly string[];
  /** Where one of its processes lives, and those that one of them, or we, hold otherwise. */
  readonly namespaces: readonly string[];
  /** Of this process, so of the host. */
  readonly mounts: readonly string[];
  /** Of the daemon, while it runs. */
  readonly descriptors: readonly string[];
  readonly sockets: readonly string[];
  /** Below the runtime and the library directory, but for logs that are kept. */
  readonly files: readonly string[];
  /** The cells that are listed, when the test says so. */
  readonly cells: readonly string[];
}

/** What the kernel tears down by itself, and what is on its way out, gives no event: how long it is looked for. */
const usualSettleMs = 5000;
const lookEveryMs = 20;

export function takeCensus(watched: Watched, cells: readonly string[] = []): Census {
  const { directory, daemon } = watched;
  const processes = processesOf(watched);
  const isAlive = processes.filter(({ isZombie }) => !isZombie);
  const pids = [...isAlive.map(({ pid }) => pid), ...(daemon === undefined ? [] : [daemon])];
  const held = [process.pid, ...pids].flatMap(heldNamespacesOf);
  return {
    cgroups: rootsOf(watched).filter(existsSync).flatMap(withAllBelow).toSorted(),
    processes: isAlive.map(({ pid, name }) => `${pid} ${name}`),
    zombies: processes.filter(({ isZombie }) => isZombie).map(({ pid, name }) => `${pid} ${name}`),
    namespaces: [...new Set([...pids.flatMap(ownNamespacesOf), ...held])].toSorted(),
    mounts: mounts().trim().split("\n"),
    descriptors: daemon === undefined ? [] : descriptorsOf(daemon),
    sockets: socketsBelow(directory),
    files: ["run", "lib"].flatMap((name) => filesBelow(seen(watched), name)).toSorted(),
    cells,
  };
}

/** How the machine differs from before: "+" is there now, "-" was; nothing, as soon as nothing does. */
export function differencesSince(
  before: Census,
  take: () => Census,
  settleMs: number = usualSettleMs,
): Promise<readonly string[]> {
  return settled(() => differences(before, take()), settleMs);
}

/** What is there and was not. What went is no leak. */
export function leaksSince(
  before: Census,
  take: () => Census,
  settleMs: number = usualSettleMs,
): Promise<readonly string[]> {
  return settled(
    () => differences(before, take()).filter((text) => text.startsWith("+")),
    settleMs,
  );
}

async function settled(
  look: () => readonly string[],
  settleMs: number,
): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(settleMs);
  for (;;) {
    const found = look();
    if (found.length === 0 || signal.aborted) return found;
    await delay(lookEveryMs);
  }
}

function differences(before: Census, after: Census): readonly string[] {
  const kinds = Object.keys(before) as readonly (keyof Census)[];
  return kinds.flatMap((kind) => [
    ...without(after[kind], before[kind]).map((one) => `+${kind} ${one}`),
    ...without(before[kind], after[kind]).map((one) => `-${kind} ${one}`),
  ]);
}

/** The items of one list that the other has not, or has less often. */
function without(list: readonly string[], other: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const item of other) counts.set(item, (counts.get(item) ?? 0) + 1);
  return list.filter((item) => {
    const count = counts.get(item) ?? 0;
    counts.set(item, count - 1);
    return count <= 0;
  });
}

function withAllBelow(path: string): readonly string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    const below = entries.filter((entry) => entry.isDirectory());
    return [path, ...below.flatMap(({ name }) => withAllBelow(join(path, name)))];
  } catch {
    return []; // It went while we looked.
  }
}

/** Its directory as the daemon sees it: disks may be mounted there for it alone. */
function seen({ directory, daemon }: Watched): string {
  return daemon === undefined ? directory : `/proc/${daemon}/root${directory}`;
}

/** Logs outlive their cell, and so do the answers to requests. */
const kept =
  /^run\/requests$|^lib\/logs\/[0-9a-f]{16}(\/(cell\.json|runs\.jsonl|[^/]+(\/\d+\.log(\.\d+)?)?))?$/;

function filesBelow(directory: string, name: string): readonly string[] {
  const path = join(directory, name);
  if (!existsSync(path)) return [];
  const files = readdirSync(path, { recursive: true, encoding: "utf8" });
  return files.map((file) => join(name, file)).filter((file) => !kept.test(file));
}
