import { execFileSync } from "node:child_process";
import { closeSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { WireClient } from "../client.ts";
import type { Daemon } from "../daemon.ts";

/** Disks for one daemon alone: what is mounted is seen by it, its launcher and their supervisors. */

/** What mount(8) takes after `mount`, for the runtime and the library directory; none: as it is. */
export interface Disks {
  readonly run?: string;
  readonly lib?: string;
}

/** For `through`: the arguments that follow are the daemon's, with its directories third and fifth. */
export function onDisks({ run, lib }: Disks): readonly string[] {
  const mounts = [mount(run, "$3"), mount(lib, "$5")].join("\n");
  const script = `set -e\nmkdir -p "$3" "$5"\n${mounts}\nexec "$@"`;
  return ["unshare", "--mount", "sh", "-c", script, "disks"];
}

function mount(options: string | undefined, directory: string): string {
  return options === undefined ? "" : `mount ${options} "${directory}"`;
}

/** A file system in memory, of so much: "size=64k". */
export function memoryDisk(options: string): string {
  return `-t tmpfs -o mode=0700,${options} tmpfs`;
}

/** A path below the directory of a daemon, on the disks that it sees. */
export function seenBy(daemon: Daemon, path: string): string {
  return `/proc/${daemon.pid}/root${daemon.directory}/${path}`;
}

/** A client of a daemon whose socket is on a disk of its own. */
export function clientOf(daemon: Daemon): WireClient {
  return new WireClient({ ...daemon, unixTarget: `unix:${seenBy(daemon, "run/aurae.sock")}` });
}

/** A command in the mount namespace of a daemon. */
export function runBeside(daemon: Daemon, command: string): void {
  execFileSync("nsenter", ["--mount", "--target", `${daemon.pid}`, "sh", "-ec", command]);
}

/** What a test has done to a disk, until it is undone: once, also when the test fails before. */
export interface Harm extends Disposable {
  readonly undo: () => void;
}

export function once(undo: () => void): Harm {
  let isDone = false;
  function undoOnce(): void {
    if (isDone) return;
    isDone = true;
    undo();
  }
  return { undo: undoOnce, [Symbol.dispose]: undoOnce };
}

/** Write until the disk is full; what is left is less than a page. */
export function fillBytes(directory: string): Harm {
  const path = `${directory}/filler`;
  const file = openSync(path, "w");
  const page = Buffer.alloc(4096);
  untilFull(() => writeSync(file, page));
  closeSync(file);
  return once(() => rmSync(path, { force: true }));
}

/** Make files until the disk has no inode left. */
export function fillInodes(directory: string): Harm {
  let count = 0;
  untilFull(() => writeFileSync(`${directory}/filler-${count++}`, ""));
  return once(() => {
    const fillers = readdirSync(directory).filter((name) => name.startsWith("filler-"));
    for (const name of fillers) rmSync(`${directory}/${name}`);
  });
}

function untilFull(take: () => void): void {
  for (;;) {
    try {
      take();
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOSPC") return;
      throw cause;
    }
  }
}
