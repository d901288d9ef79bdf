import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { CellService } from "@aurae/api/runtime";
import { WireClient } from "../client.ts";
import { needsRoot, startDaemon } from "../daemon.ts";
import { rootsOf } from "../host.ts";
import { type Census, leaksSince, takeCensus } from "./oracle.ts";
import { testIdVariable } from "./processes.ts";

/** One of each is leaked on purpose, and has to be seen. */

/** A directory, and what has leaked since it was made. */
class Watch implements Disposable {
  readonly directory: string = mkdtempSync("/tmp/aurae-oracle-");
  readonly #before: Census = takeCensus(this);

  leaks(cells: readonly string[] = []): Promise<readonly string[]> {
    return leaksSince(this.#before, () => takeCensus(this, cells), 0);
  }

  /** A program of this test that has written a line; leaving the scope ends it. */
  async start(script: string): Promise<{ readonly line: string } & AsyncDisposable> {
    const env = { ...process.env, [testIdVariable]: this.directory };
    const child = spawn("sh", ["-c", script], { env, stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "exit");
    const line = await firstLine(child);
    return {
      line,
      async [Symbol.asyncDispose]() {
        child.kill("SIGKILL");
        await ended;
      },
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  let text = "";
  for await (const piece of stdout?.iterator({ destroyOnReturn: false }) ?? []) {
    text += String(piece);
    if (text.includes("\n")) break;
  }
  return text.trim();
}

const skip = needsRoot;

test("nothing leaked is nothing seen", { skip }, async () => {
  using watch = new Watch();

  assert.deepEqual(await watch.leaks(), []);
});

test("a cgroup is seen, in whatever hierarchy it is", { skip }, async () => {
  using watch = new Watch();
  assert.ok(rootsOf(watch).length > 0);

  for (const root of rootsOf(watch)) {
    mkdirSync(`${root}/c-left`, { recursive: true });
    try {
      assert.deepEqual(await watch.leaks(), [`+cgroups ${root}`, `+cgroups ${root}/c-left`]);
    } finally {
      rmdirSync(`${root}/c-left`);
      rmdirSync(root);
    }
  }
});

test("a process is seen by the test's name in its environment", { skip }, async () => {
  using watch = new Watch();
  await using child = await watch.start("echo $$; exec sleep 1000");

  assert.deepEqual(await watch.leaks(), [`+processes ${child.line} sleep`]);
});

test("a process is seen by the test's directory in its command line", { skip }, async () => {
  using watch = new Watch();
  const child = spawn("tail", ["-f", "/dev/null", `${watch.directory}/log`], { stdio: "ignore" });
  const ended = once(child, "exit");
  await once(child, "spawn");

  try {
    assert.deepEqual(await watch.leaks(), [`+processes ${child.pid} tail`]);
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
});

test("a process is seen by its cgroup", { skip }, async () => {
  using watch = new Watch();
  const [root = ""] = rootsOf(watch);
  mkdirSync(root, { recursive: true });
  const join = `echo $$ > ${root}/cgroup.procs; exec env -i sh -c 'echo $$; exec sleep 1000'`;
  try {
    await using child = await watch.start(join);

    assert.deepEqual(await watch.leaks(), [`+cgroups ${root}`, `+processes ${child.line} sleep`]);
  } finally {
    rmdirSync(root);
  }
});

test("a zombie is seen", { skip }, async () => {
  using watch = new Watch();
  // Python can wait for the end of a child without reaping it.
  const wait = "os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)";
  const tell = "print(child, os.getpid(), flush=True); signal.pause()";
  const script = `import os, signal\nchild = os.fork() or os._exit(3)\n${wait}; ${tell}`;
  await using child = await watch.start(`exec python3 -c '${script}'`);
  const [zombie, parent] = child.line.split(" ");

  const leaks = await watch.leaks();

  assert.deepEqual(leaks, [`+processes ${parent} python3`, `+zombies ${zombie} python3`]);
});

test("a namespace is seen by who lives in it", { skip }, async () => {
  using watch = new Watch();
  await using child = await watch.start(
    "exec unshare -u sh -c 'readlink /proc/$$/ns/uts; exec sleep 1000'",
  );

  assert.ok((await watch.leaks()).includes(`+namespaces ${child.line}`));
});

test("a namespace is seen by a descriptor that holds it", { skip }, async () => {
  using watch = new Watch();
  const child = await watch.start(
    "exec unshare -u sh -c 'echo $$ $(readlink /proc/$$/ns/uts); exec sleep 1000'",
  );
  const [pid, namespace] = child.line.split(" ");
  const holder = openSync(`/proc/${pid}/ns/uts`, "r");
  await child[Symbol.asyncDispose]();

  try {
    assert.deepEqual(await watch.leaks(), [`+namespaces ${namespace}`]);
  } finally {
    closeSync(holder);
  }
  assert.deepEqual(await watch.leaks(), []);
});

test("a namespace is seen by the mount that holds it", { skip }, async () => {
  using watch = new Watch();
  const place = `${watch.directory}/namespace`;
  const bind = `touch ${place}; unshare -u mount --bind /proc/self/ns/uts ${place}`;
  const tell = `stat -L -c 'uts:[%i]' ${place}; exec sleep 1000`;
  await using child = await watch.start(`exec unshare -m sh -c "${bind}; ${tell}"`);

  assert.ok((await watch.leaks()).includes(`+namespaces ${child.line}`));
});

test("a mount is seen", { skip }, () => {
  using watch = new Watch();
  const oracle = `${import.meta.dirname}/oracle.ts`;
  // In a mount namespace of its own: for who runs there it is the host's.
  const script = `
    import { execFileSync } from "node:child_process";
    import { leaksSince, takeCensus } from ${JSON.stringify(oracle)};
    const watched = { directory: ${JSON.stringify(watch.directory)} };
    const before = takeCensus(watched);
    execFileSync("mount", ["-t", "tmpfs", "left", watched.directory]);
    process.stdout.write((await leaksSince(before, () => takeCensus(watched), 0)).join());`;

  const command = ["-m", process.execPath, "--input-type=module", "-e", script];
  const leaks = execFileSync("unshare", command, { encoding: "utf8" });

  assert.match(leaks, /^\+mounts \d+ [^\n]* - tmpfs left rw$/);
});

test("a file and a socket are seen, and logs that are kept are none", { skip }, async () => {
  using watch = new Watch();
  const { directory } = watch;
  mkdirSync(`${directory}/lib/logs/0123456789abcdef/main`, { recursive: true });
  writeFileSync(`${directory}/lib/logs/0123456789abcdef/main/1.log`, "kept");
  mkdirSync(`${directory}/run`);
  writeFileSync(`${directory}/lib/logs/0123456789abcdef/main/1.log.tmp`, "left");
  const server = createServer().listen(`${directory}/run/s.sock`);
  await once(server, "listening");

  try {
    assert.deepEqual(await watch.leaks(), [
      `+sockets unix ${directory}/run/s.sock`,
      "+files lib/logs",
      "+files lib/logs/0123456789abcdef/main/1.log.tmp",
      "+files run/s.sock",
    ]);
  } finally {
    server.close();
  }
});

test("a cell that is listed is seen", { skip }, async () => {
  using watch = new Watch();

  assert.deepEqual(await watch.leaks(["web"]), ["+cells web"]);
});

test("descriptors of the daemon and cells that it has are seen while it runs", {
  skip,
}, async () => {
  await using daemon = await startDaemon();
  const watched = { directory: daemon.directory, daemon: daemon.pid };
  const before = takeCensus(watched);
  using client = new WireClient(daemon);
  const executable = { name: "main", command: "sleep 1000", cellName: "open" };
  await client.allocate({ name: "open" });
  await client.call(CellService.method.start, { executable });

  const leaks = await leaksSince(before, () => takeCensus(watched), 0);

  // The connection of the client, and that to the supervisor.
  const descriptors = leaks.filter((leak) => leak.startsWith("+descriptors"));
  assert.ok(descriptors.some((each) => each.startsWith(`+descriptors unix ${daemon.directory}/`)));
  assert.ok(descriptors.includes("+descriptors unix"));
  for (const kind of ["cgroups", "processes", "namespaces", "sockets", "files"])
    assert.ok(
      leaks.some((leak) => leak.startsWith(`+${kind} `)),
      kind,
    );
});

test("a daemon that keeps a connection fails the test it was started for", { skip }, async () => {
  const clients: WireClient[] = [];
  async function leave(): Promise<void> {
    await using daemon = await startDaemon({ settleMs: 0 });
    const client = new WireClient(daemon);
    clients.push(client);
    await client.call(CellService.method.list, {});
  }

  try {
    await assert.rejects(leave, /left something: .*\+descriptors unix \/tmp.*\.sock/);
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
});
