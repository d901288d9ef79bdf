import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";

/** The machine, looked at from outside the daemon. */

export const namespaceKinds = ["mnt", "uts", "ipc", "pid", "net", "cgroup"] as const;

/** What the kernel is asked about: a cell of the daemon that has this directory. */
export interface Place {
  readonly directory: string;
}

/** Whose leaks are looked for. */
export interface Watched extends Place {
  /** The pid of its daemon, while that runs. */
  readonly daemon?: number;
}

/** Every directory of a cell in the host's cgroup hierarchies. */
export function cgroupsOf(daemon: Place, cell: string): readonly string[] {
  const path = cell
    .split("/")
    .map((segment) => `c-${segment}`)
    .join("/");
  return rootsOf(daemon)
    .map((root) => `${root}/${path}`)
    .filter((directory) => existsSync(directory));
}

/** What a file in a cgroup of a cell holds; undefined when no hierarchy of it has that file. */
export function readCgroup(daemon: Place, cell: string, file: string): string | undefined {
  const directory = cgroupsOf(daemon, cell).find((each) => existsSync(`${each}/${file}`));
  return directory && readFileSync(`${directory}/${file}`, "utf8").trim();
}

/** Where the tree of a controller is, and of which version. */
export function cgroupMountOf(controller: string): {
  readonly path: string;
  readonly isV2: boolean;
} {
  const isV2 = isVersion2(controller);
  const mountsOfIt = isV2 ? cgroupMounts("cgroup2") : cgroupMounts("cgroup");
  const path = mountsOfIt.find((mount) => isV2 || mount.split(/[/,]/).includes(controller));
  return { path: path ?? "", isV2 };
}

/** Whether a controller of the host is in the hands of cgroup version 2. */
export function isVersion2(controller: string): boolean {
  return cgroupMounts("cgroup2").some((mount) =>
    readFileSync(`${mount}/cgroup.controllers`, "utf8").trim().split(" ").includes(controller),
  );
}

/** The processes of an executable, by the kernel's own list. */
export function pidsOf(daemon: Place, cell: string, executable: string): readonly number[] {
  const [directory] = cgroupsOf(daemon, cell);
  if (directory === undefined) return [];
  const file = `${directory}/x-${executable}/cgroup.procs`;
  if (!existsSync(file)) return [];
  const text = readFileSync(file, "utf8");
  return text.split("\n").filter(Boolean).map(Number);
}

/** The launcher of a daemon: it outlives it. */
export function launcherOf({ directory }: Place): number {
  const name = `${directory}/run/launcher.sock`;
  const pid = readdirSync("/proc").find((each) => commandOf(each).split("\0")[1] === name);
  return Number(pid ?? Number.NaN);
}

/** The parent of a process; of an executable, the supervisor of its cell. */
export function parentOf(pid: number): number {
  return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** The namespaces of a process, each as the kernel names it: "pid:[4026531836]". */
export function namespacesOf(pid: number | "self"): readonly string[] {
  return namespaceKinds.map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`));
}

/** The process that is PID 1 in the PID namespace of another, by its name. */
export function initOf(pid: number): string | undefined {
  const namespace = readlinkSync(`/proc/${pid}/ns/pid`);
  for (const other of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (readlinkSync(`/proc/${other}/ns/pid`) !== namespace) continue;
      const status = readFileSync(`/proc/${other}/status`, "utf8");
      if (/^NSpid:.*\t1$/m.test(status)) return /^Name:\t(.*)$/m.exec(status)?.[1];
    } catch {
      // It ended while we looked.
    }
  }
  return undefined;
}

/** The mounts of this process, to be compared before and after. */
export function mounts(): string {
  return readFileSync("/proc/self/mountinfo", "utf8");
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // It has ended.
  }
}

/** A port of the loopback address that nobody uses now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("Cannot find a free port");
  return address.port;
}

/** Where the cgroups of a daemon are, in each hierarchy. */
export function rootsOf({ directory }: Place): readonly string[] {
  const node = createHash("sha256").update(`${directory}/run`).digest("hex").slice(0, 12);
  return [...cgroupMounts("cgroup"), ...cgroupMounts("cgroup2")].map(
    (mount) => `${mount}/aurae/${node}`,
  );
}

function cgroupMounts(type: "cgroup" | "cgroup2"): readonly string[] {
  const lines = mounts()
    .split("\n")
    .filter((line) => line.includes(` - ${type} `));
  return lines.map((line) => line.split(" ")[4] ?? "");
}
