import assert from "node:assert/strict";
import { existsSync, readdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { Observe } from "@aurae/api/observe";
import { CellService, CellState, EndReason } from "@aurae/api/runtime";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { type Daemon, needsRoot as skip, spawnDaemon, startDaemon } from "../daemon.ts";
import { rootsOf } from "../host.ts";
import { directoryOf, killDaemon, listCells, onBoot, supervisorsOf } from "./restarts.ts";
import { until } from "./until.ts";

/** What a daemon makes of what it finds, as its callers see it. */

const main = { cellName: "web", executableName: "main" };

/** A cell "web" whose program has said "ready" and sleeps. */
async function startSleeper(daemon: Daemon): Promise<number> {
  using client = new WireClient(daemon);
  await client.allocate({ name: "web" });
  const executable = { name: "main", command: "echo ready; exec sleep 1000", cellName: "web" };
  const { pid } = await client.call(CellService.method.start, { executable });
  const stream = client.open(Observe.method.getSubProcessStream, { ...main, follow: true });
  for await (const _ of stream) break;
  return Number(pid);
}

test("a cell whose supervisor died meanwhile has failed, keeps its log, and is freed (fault 64)", {
  skip,
}, async () => {
  await using first = await startDaemon();
  const pid = await startSleeper(first);
  await using _left = await killDaemon(first);
  for (const supervisor of supervisorsOf(first)) process.kill(supervisor, "SIGKILL");
  await until(() => !existsSync(`/proc/${pid}`) && supervisorsOf(first).length === 0);

  await using second = await spawnDaemon(first.directory);

  const [cell] = await listCells(second);
  assert.deepEqual([cell?.state, cell?.reason], [CellState.FAILED, "supervisor lost"]);
  assert.equal(cell?.executables[0]?.end?.reason, EndReason.LOST);
  using client = new WireClient(second);
  const items = await client.all(Observe.method.getSubProcessStream, main);
  assert.deepEqual(
    items.map(({ line }) => line),
    ["ready"],
  );
  await client.free("web");
  assert.equal((await answerTo(client.free("web"))).code, status.NOT_FOUND);
});

test("a cell without its record is unmanaged: told in the log, not listed, and it runs on (fault 64)", {
  skip,
}, async () => {
  await using first = await startDaemon();
  const pid = await startSleeper(first);
  await using _left = await killDaemon(first);
  const [supervisor = 0] = supervisorsOf(first);
  const directory = directoryOf(first, "web");
  rmSync(join(directory, "cell.json"));

  await using second = await spawnDaemon(first.directory);

  assert.deepEqual(await listCells(second), []);
  assert.ok(existsSync(`/proc/${pid}`));
  const told = second.log.find((line) => line.includes(directory)) ?? "";
  assert.match(told, new RegExp(`unmanaged.* 1 executables; .* process ${supervisor}, and remove`));
  // As the line says.
  process.kill(supervisor, "SIGKILL");
  await until(() => !existsSync(`/proc/${pid}`));
  rmSync(directory, { recursive: true });
  removeCgroups(first);
});

test("after a boot the cells of before are lost, with a word, and their names are free (fault 16)", {
  skip,
}, async () => {
  await using first = await startDaemon();
  const pid = await startSleeper(first);
  // Whose log it is, is written behind the caller's back: without it nobody could ask for it.
  const logs = join(first.directory, "lib/logs", basename(directoryOf(first, "web")));
  await until(() => existsSync(join(logs, "runs.jsonl")));
  await using _left = await killDaemon(first);
  for (const supervisor of supervisorsOf(first)) process.kill(supervisor, "SIGKILL");
  await until(() => !existsSync(`/proc/${pid}`) && supervisorsOf(first).length === 0);
  removeCgroups(first);
  const boot = `${first.directory}/boot-id`;
  writeFileSync(boot, "01234567-89ab-4cde-8f01-23456789abcd\n");

  await using second = await spawnDaemon(first.directory, { through: onBoot(boot) });

  assert.deepEqual(await listCells(second), []);
  assert.match(second.log.join("\n"), /Cell \\"web\\" was lost at boot; its logs are kept/);
  using client = new WireClient(second);
  const items = await client.all(Observe.method.getSubProcessStream, main);
  assert.deepEqual(
    items.map(({ line }) => line),
    ["ready"],
  );
  const byPid = client.all(Observe.method.getSubProcessStream, { processId: BigInt(pid) });
  assert.equal((await answerTo(byPid)).code, status.NOT_FOUND);
  await client.allocate({ name: "web" });
});

/** Nothing lives in the cgroups of "web" any more. */
function removeCgroups(daemon: Daemon): void {
  for (const root of rootsOf(daemon).filter((path) => existsSync(`${path}/c-web`))) {
    const inside = readdirSync(`${root}/c-web`, { withFileTypes: true });
    for (const entry of inside) if (entry.isDirectory()) rmdirSync(`${root}/c-web/${entry.name}`);
    rmdirSync(`${root}/c-web`);
  }
}
