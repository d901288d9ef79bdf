import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";

/** The machine, looked at from outside the daemon. */

export const namespaceKinds = ["mnt", "uts", "ipc", "pid", "net", "cgroup"] as const;

/** Every directory of a cell in the host's cgroup hierarchies, by the mount it was found in. */
export function cgroupsOf(cell: string): ReadonlyMap<string, string> {
  const path = cell
    .split("/")
    .map((segment) => `c-${segment}`)
    .join("/");
  const found = cgroupMounts().flatMap((mount) =>
    nodesIn(`${mount}/aurae`).map((node): [string, string] => [
      mount,
      `${mount}/aurae/${node}/${path}`,
    ]),
  );
  return new Map(found.filter(([, directory]) => existsSync(directory)));
}

/** The directory of a cell in the hierarchy that has a file of that name. */
export function cgroupWith(cell: string, file: string): string {
  const directory = [...cgroupsOf(cell).values()].find((each) => existsSync(`${each}/${file}`));
  if (directory === undefined) throw new Error(`Cannot find ${file} of cell ${cell}`);
  return directory;
}

/** The processes of an executable, by the kernel's own list. */
export function pidsOf(cell: string, executable: string): readonly number[] {
  const [directory] = cgroupsOf(cell).values();
  if (directory === undefined) return [];
  const text = readFileSync(`${directory}/x-${executable}/cgroup.procs`, "utf8");
  return text.split("\n").filter(Boolean).map(Number);
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

/** What a daemon with that directory has left on the machine: cgroups and processes. */
export function leftOf(directory: string): readonly string[] {
  const node = createHash("sha256").update(`${directory}/run`).digest("hex").slice(0, 12);
  const cgroups = cgroupMounts().map((mount) => `${mount}/aurae/${node}`);
  const processes = readdirSync("/proc").filter(
    (pid) => /^\d+$/.test(pid) && commandOf(pid).includes(directory),
  );
  return [
    ...cgroups.filter((path) => existsSync(path)),
    ...processes.map((pid) => `process ${pid}`),
  ];
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

function cgroupMounts(): readonly string[] {
  const lines = mounts()
    .split("\n")
    .filter((line) => / - cgroup2? /.test(line));
  return lines.map((line) => line.split(" ")[4] ?? "");
}

function nodesIn(directory: string): readonly string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
