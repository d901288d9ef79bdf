import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { CellService, type CellStatus } from "@aurae/api/runtime";
import { WireClient } from "../client.ts";
import { type Daemon, spawnDaemon } from "../daemon.ts";
import { type Place, rootsOf } from "../host.ts";

/** A daemon that dies, and what it leaves. */

const build = join(import.meta.dirname, "../../native/cell-shim/build");

/**
 * Kill it as the kernel would: it can do nothing any more. Leaving the scope frees what is left then,
 * when a test fails before the next daemon was there to do it.
 */
export async function killDaemon(daemon: Daemon): Promise<AsyncDisposable> {
  process.kill(daemon.pid, "SIGKILL");
  await daemon.ended;
  return {
    async [Symbol.asyncDispose]() {
      if (!rootsOf(daemon).some((path) => existsSync(path))) return;
      await (await spawnDaemon(daemon.directory))[Symbol.asyncDispose]();
    },
  };
}

/** The cells as its next daemon lists them. */
export async function listCells(daemon: Daemon): Promise<readonly CellStatus[]> {
  using client = new WireClient(daemon);
  return (await client.call(CellService.method.list, {})).cells;
}

/** The supervisors of a daemon. */
export function supervisorsOf(place: Place): readonly number[] {
  const lists = rootsOf(place).map((root) => `${root}/_shim/cgroup.procs`);
  const list = lists.find((path) => existsSync(path)) ?? "";
  const pids = readFileSync(list, "utf8").split("\n").filter(Boolean);
  return pids.map(Number).filter((pid) => programOf(pid) === "aurae-supervisor");
}

/** The directory of a cell, below that of the daemon. */
export function directoryOf({ directory }: Place, cell: string): string {
  const cells = join(directory, "run/cells");
  const id = readdirSync(cells).find((each) => nameIn(join(cells, each)) === cell);
  return join(cells, id ?? "none");
}

/** For `through`: the daemon has another shim, that of this directory. */
export function onShim(shimDir: string): readonly string[] {
  return onMount(shimDir, build);
}

/** For `through`: the daemon is in the boot that this file names. */
export function onBoot(file: string): readonly string[] {
  return onMount(file, "/proc/sys/kernel/random/boot_id");
}

function onMount(from: string, to: string): readonly string[] {
  const script = `mount --bind "${from}" "${to}" && exec "$@"`;
  return ["unshare", "--mount", "sh", "-c", script, "mounted"];
}

function nameIn(directory: string): unknown {
  try {
    const file: unknown = JSON.parse(readFileSync(join(directory, "cell.json"), "utf8"));
    return typeof file === "object" && file !== null && "name" in file ? file.name : undefined;
  } catch {
    return undefined;
  }
}

function programOf(pid: number): string {
  try {
    return basename(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[0] ?? "");
  } catch {
    return ""; // It has ended.
  }
}
