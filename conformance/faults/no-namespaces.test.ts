import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { answerTo, WireClient } from "../client.ts";
import { needsRoot as skip, startDaemon } from "../daemon.ts";
import { cgroupsOf } from "../host.ts";

/** A daemon in a user namespace whose limits of namespaces are its own (user_namespaces(7)). */
const through = ["unshare", "--user", "--map-root-user"];

test("Allocate is refused when no namespace is left, leaves nothing, and recovers (fault 34)", {
  skip,
}, async () => {
  await using daemon = await startDaemon({ through });
  using client = new WireClient(daemon);
  for (const kind of ["uts", "pid", "mnt"]) {
    limit(daemon.pid, kind, 0);

    const { code, message } = await answerTo(client.allocate({ name: "web" }));

    assert.equal(code, status.RESOURCE_EXHAUSTED);
    assert.match(message, /\(ENOSPC\)/);
    assert.deepEqual(cgroupsOf(daemon, "web"), []);
    assert.deepEqual(readdirSync(`${daemon.directory}/run/cells`), []);
    limit(daemon.pid, kind, 100);
    await client.allocate({ name: "web" });
    await client.free("web");
  }
});

/** Of the user namespace that a process is in. */
function limit(pid: number, kind: string, most: number): void {
  const script = `echo ${most} >/proc/sys/user/max_${kind}_namespaces`;
  execFileSync("nsenter", [
    "--user",
    "--preserve-credentials",
    "--target",
    `${pid}`,
    "sh",
    "-c",
    script,
  ]);
}
