import { CellService } from "@aurae/api/runtime";
import { type Door, WireClient } from "../client.ts";
import type { Watched } from "../host.ts";
import { type Census, leaksSince, takeCensus } from "./oracle.ts";

/**
 * Free all that a daemon has, and tell what it keeps that it had not when it was fresh. It may keep its
 * launcher with cgroups and socket, the inotify that its first watcher makes, and the file of answers.
 */
export async function leaksOfIdle(
  door: Door,
  watched: Required<Watched>,
  fresh: Census,
  settleMs?: number,
): Promise<readonly string[]> {
  // A disk of its own may be mounted where its socket is.
  const root = `/proc/${watched.daemon}/root`;
  const unixTarget = door.unixTarget.replace("unix:", `unix:${root}`);
  const cells = await freeAll({ ...door, unixTarget });
  const kept = ["anon_inode:inotify", `${watched.directory}/run/requests`];
  const before = { ...fresh, descriptors: [...fresh.descriptors, ...kept] };
  return leaksSince(before, () => withoutLauncher(takeCensus(watched, cells)), settleMs);
}

/** Free every cell without grace. @returns the names of those that are listed all the same */
async function freeAll(door: Door): Promise<readonly string[]> {
  using client = new WireClient(door);
  await Promise.all((await listed(client)).map((name) => client.free(name, 0)));
  return await listed(client);
}

async function listed(client: WireClient): Promise<readonly string[]> {
  const { cells } = await client.call(CellService.method.list, {});
  return cells.map(({ cell }) => cell?.name ?? "");
}

/** Its socket is bound under a name that it is renamed from. */
function withoutLauncher(census: Census): Census {
  const { cgroups, processes, sockets, files } = census;
  return {
    ...census,
    cgroups: cgroups.filter((path) => !/\/aurae\/[0-9a-f]{12}(\/_shim)?$/.test(path)),
    processes: processes.filter((process) => !process.endsWith(" aurae-launcher")),
    sockets: sockets.filter((socket) => !socket.endsWith("/launcher.sock.new")),
    files: files.filter((file) => file !== "run/launcher.sock"),
  };
}
