import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempDisposableSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CellService } from "@aurae/api/runtime";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { type Daemon, needsRoot as skip, startDaemon } from "../daemon.ts";
import { launcherOf } from "../host.ts";
import { onShim } from "./restarts.ts";
import { until } from "./until.ts";

/** The programs that make cells are broken behind the back of a daemon that runs. */

const build = join(import.meta.dirname, "../../native/cell-shim/build");
const programs = ["aurae-launcher", "aurae-supervisor", "aurae-stage"] as const;
const sleeper = { name: "sleeper", command: "exec sleep 1000", cellName: "web" };

/** Each does something to the file of a program; the file of before lies beside it. */
const harms: Readonly<Record<string, (path: string) => void>> = {
  missing: () => undefined,
  "not executable": (path) => {
    cpSync(`${path}.good`, path);
    chmodSync(path, 0o644);
  },
  "another program": (path) => cpSync("/bin/true", path),
  truncated: (path) => {
    cpSync(`${path}.good`, path);
    truncateSync(path, 1000);
  },
  empty: (path) => writeFileSync(path, "", { mode: 0o755 }),
};

for (const program of programs) {
  test(`without a whole ${program} Allocate is refused, and what runs is unaffected (fault 12)`, {
    skip,
  }, async () => {
    using shim = mkdtempDisposableSync("/tmp/aurae-shim-");
    for (const each of programs) cpSync(join(build, each), join(shim.path, each));
    await using daemon = await startDaemon({ through: onShim(shim.path) });
    using client = new WireClient(daemon);
    await client.allocate({ name: "web" });
    const { pid } = await client.call(CellService.method.start, { executable: sleeper });

    for (const [what, harm] of Object.entries(harms)) {
      using _harmed = harmed(join(shim.path, program), harm);
      // It is run once for all cells.
      if (program === "aurae-launcher") await killLauncher(daemon);
      const { code, reason, message } = await answerTo(client.allocate({ name: "other" }));

      assert.equal(code, status.FAILED_PRECONDITION, `${what}: ${message}`);
      assert.ok(reason === "SHIM_UNUSABLE" || isMute(program, what), `${what}: ${message}`);
      assert.ok(existsSync(`/proc/${pid}`), what);
      assert.deepEqual((await client.run("web", "echo on")).lines, ["on"], what);
    }
    await client.allocate({ name: "other" });
  });
}

/** A stage that runs and tells nothing may as well have been killed. */
function isMute(program: string, what: string): boolean {
  return program === "aurae-stage" && ["another program", "truncated"].includes(what);
}

/** Do something to a program, until it is disposed. */
function harmed(path: string, harm: (path: string) => void): Disposable {
  renameSync(path, `${path}.good`);
  harm(path);
  return { [Symbol.dispose]: () => renameSync(`${path}.good`, path) };
}

async function killLauncher(daemon: Daemon): Promise<void> {
  const launcher = launcherOf(daemon);
  if (Number.isNaN(launcher)) return;
  process.kill(launcher, "SIGKILL");
  await until(() => Number.isNaN(launcherOf(daemon)));
}
