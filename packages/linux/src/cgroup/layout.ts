import { createHash } from "node:crypto";
import { join } from "node:path";
import type { CellName, ExecutableName } from "@aurae/domain/cells";
import type { CgroupMount, Controller } from "./mounts.ts";

/**
 * Where things are, the same in every tree of cgroups:
 *
 *     <mount>/<parent>/aurae/<node>/_shim          the launcher and every supervisor
 *                                   c-<segment>    a cell: its limits
 *                                     _init        its init
 *                                     x-<name>     an executable and all that came of it
 *                                     c-<segment>  a cell in the cell
 *
 * The prefixes keep names apart from the kernel's files: `tasks` is a valid name (fault 72).
 */
export const initDirectory = "_init";

/** A part of the tree that is ours alone, as long as the lock of the runtime directory is. */
export function nodeOf(realRuntimeDir: string): string {
  return createHash("sha256").update(realRuntimeDir).digest("hex").slice(0, 12);
}

/** The directory of a cell below that of the node. */
export function cellPath(name: CellName): string {
  return name
    .split("/")
    .map((segment) => `c-${segment}`)
    .join("/");
}

/** Whether a directory below that of the node, or of a cell, is a cell's. */
export function isCellDirectory(name: string): boolean {
  return name.startsWith("c-");
}

/** The directory of an executable in that of its cell. */
export function executableDirectory(name: ExecutableName): string {
  return `x-${name}`;
}

/** One entry of /proc/self/cgroup: `4:memory:/system.slice/aurae.service`, for version 2 `0::/…`. */
export interface OwnCgroup {
  readonly controllers: readonly string[];
  readonly path: string;
}

export function readOwnCgroups(text: string): readonly OwnCgroup[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, names = "", ...path] = line.split(":");
      return { controllers: names === "" ? [] : names.split(","), path: path.join(":") };
    });
}

/** Our own cgroup in a tree, as a path below its mount point. */
export function ownPath(mount: CgroupMount, own: readonly OwnCgroup[]): string {
  const entry = own.find(({ controllers }) =>
    mount.version === 2
      ? controllers.length === 0
      : controllers.some((name) => mount.controllers.has(name as Controller)),
  );
  const path = entry?.path ?? "/";
  return mount.root !== "/" && path.startsWith(mount.root) ? path.slice(mount.root.length) : path;
}

/**
 * The parent that systemd delegates: the nearest ancestor of our own cgroup that is a service. In a
 * tree that systemd has not delegated we are in none, and "/" is right.
 */
export function serviceOf(path: string): string {
  const segments = path.split("/");
  const end = segments.findLastIndex((segment) => segment.endsWith(".service"));
  return end < 0 ? "/" : join("/", ...segments.slice(0, end + 1));
}
