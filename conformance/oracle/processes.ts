import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { rootsOf, type Watched } from "../host.ts";

/** Whoever has this variable, with the directory of a test, was started by that test. */
export const testIdVariable = "AURAE_TEST_ID";

/** A process as /proc shows it. */
export interface Process {
  readonly pid: number;
  readonly name: string;
  readonly parent: number;
  readonly isZombie: boolean;
}

/**
 * Every process of a test but its daemon and the one that looks: who sits in its cgroups, carries its
 * name in the environment or its directory in the command line, and whoever is a child of such a one.
 */
export function processesOf(watched: Watched): readonly Process[] {
  const nodes = rootsOf(watched).map((root) => root.slice(root.indexOf("/aurae/")));
  const all = readdirSync("/proc").flatMap((pid) => (/^\d+$/.test(pid) ? readProcess(pid) : []));
  const ours = new Set(all.filter(({ pid }) => isOurs(pid, watched, nodes)).map(({ pid }) => pid));
  const parents = new Set([...ours, ...(watched.daemon === undefined ? [] : [watched.daemon])]);
  return all.filter(
    ({ pid, parent }) =>
      pid !== process.pid && pid !== watched.daemon && (ours.has(pid) || parents.has(parent)),
  );
}

/** The namespaces of a process that are not this one's, each as the kernel names it. */
export function ownNamespacesOf(pid: number): readonly string[] {
  return look(() => readdirSync(`/proc/${pid}/ns`), []).flatMap((kind) => {
    const link = look(() => readlinkSync(`/proc/${pid}/ns/${kind}`), "");
    return link === "" || link === readlinkSync(`/proc/self/ns/${kind}`) ? [] : [link];
  });
}

/** Namespaces that a process keeps without living there: by a descriptor, or bound in its mount table. */
export function heldNamespacesOf(pid: number): readonly string[] {
  const isNamespace = /^(mnt|uts|ipc|pid|net|cgroup|user|time):\[\d+\]$/;
  const links = look(() => readdirSync(`/proc/${pid}/fd`), []).map((fd) =>
    look(() => readlinkSync(`/proc/${pid}/fd/${fd}`), ""),
  );
  const mounts = look(() => readFileSync(`/proc/${pid}/mountinfo`, "utf8"), "").split("\n");
  const bound = mounts.map((line) => line.split(" ")[3] ?? "");
  return [...links, ...bound].filter((text) => isNamespace.test(text));
}

function isOurs(pid: number, { directory }: Watched, nodes: readonly string[]): boolean {
  const cgroups = look(() => readFileSync(`/proc/${pid}/cgroup`, "utf8"), "");
  if (nodes.some((node) => cgroups.includes(node))) return true;
  const environment = look(() => readFileSync(`/proc/${pid}/environ`, "utf8"), "").split("\0");
  if (environment.includes(`${testIdVariable}=${directory}`)) return true;
  return look(() => readFileSync(`/proc/${pid}/cmdline`, "utf8"), "").includes(directory);
}

function readProcess(pid: string): readonly Process[] {
  const stat = look(() => readFileSync(`/proc/${pid}/stat`, "utf8"), "");
  // The name may hold anything, a bracket too.
  const end = stat.lastIndexOf(")");
  if (end < 0) return [];
  const [state = "", parent = ""] = stat.slice(end + 2).split(" ");
  const name = stat.slice(stat.indexOf("(") + 1, end);
  return [{ pid: Number(pid), name, parent: Number(parent), isZombie: state === "Z" }];
}

/** What is read of a process that ends meanwhile is nothing. */
function look<Value>(read: () => Value, nothing: Value): Value {
  try {
    return read();
  } catch {
    return nothing;
  }
}
