import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, openSync, readdirSync, readlinkSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { initDirectory } from "@aurae/pki";

const main = fileURLToPath(new URL("main.ts", import.meta.url));
const shim = new URL("../../../native/cell-shim/build/aurae-supervisor", import.meta.url);
const skip = findReason();

/** Why the daemon cannot run here. */
function findReason(): string | false {
  if (process.geteuid?.() !== 0) return "only root may run the daemon";
  return existsSync(shim) ? false : "the shim is not built (make build)";
}

/** Directories for daemons, with certificates; its end ends what was started. */
async function setUp() {
  const directory = await mkdtemp(join(tmpdir(), "auraed-main-"));
  const pki = join(directory, "pki");
  await initDirectory(pki, { hostname: "node" });
  const args = [
    ...["-r", join(directory, "run"), "-l", join(directory, "lib")],
    ...["--ca-crt", join(pki, "ca.crt"), "--server-crt", join(pki, "server.crt")],
    ...["--server-key", join(pki, "server.key")],
  ];
  const children: ChildProcess[] = [];
  return {
    ...{ directory, args },
    start(more: readonly string[] = [], inherited: readonly number[] = []): Daemon {
      const stdio = ["ignore", "ignore", "pipe", ...inherited] as const;
      const child = spawn(process.execPath, [main, ...args, ...more], { stdio: [...stdio] });
      children.push(child);
      return new Daemon(child);
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill("SIGKILL");
        await once(child, "exit");
      }
      await rm(directory, { recursive: true });
    },
  };
}

class Daemon {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly #exited: Promise<unknown>;
  #heard = Promise.withResolvers<void>();

  constructor(child: ChildProcess) {
    this.child = child;
    this.#exited = once(child, "exit");
    assert.ok(child.stderr !== null);
    const lines = createInterface({ input: child.stderr });
    lines.on("line", (line) => this.#hear(line)).on("close", () => this.#hear(""));
  }

  /** Wait for a line that holds the text. */
  async says(text: string): Promise<string> {
    for (;;) {
      const found = this.lines.find((line) => line.includes(text));
      if (found !== undefined) return found;
      if (this.lines.at(-1) === "") assert.fail(`it never said ${text}: ${this.lines.join("\n")}`);
      await this.#heard.promise;
    }
  }

  async exits(): Promise<number | null> {
    await this.#exited;
    return this.child.exitCode;
  }

  #hear(line: string): void {
    this.lines.push(line);
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
  }
}

test("SIGTERM ends the daemon with 0, and its socket is gone", { skip }, async () => {
  await using setting = await setUp();
  const daemon = setting.start();
  await daemon.says('"serving"');
  assert.ok(existsSync(join(setting.directory, "run/aurae.sock")));

  daemon.child.kill("SIGTERM");

  assert.equal(await daemon.exits(), 0);
  assert.equal(existsSync(join(setting.directory, "run/aurae.sock")), false);
});

test("a daemon that was killed is followed by another (fault 81)", { skip }, async () => {
  await using setting = await setUp();
  const first = setting.start();
  await first.says('"serving"');
  first.child.kill("SIGKILL");
  await first.exits();

  const second = setting.start();

  await second.says('"serving"');
});

test("a second daemon on the same directory is refused (fault 17)", { skip }, async () => {
  await using setting = await setUp();
  await setting.start().says('"serving"');

  const second = setting.start();

  await second.says("another daemon uses it");
  assert.equal(await second.exits(), 1);
});

test("SIGHUP takes a new log level, and keeps old certificates if the new are broken", {
  skip,
}, async () => {
  await using setting = await setUp();
  const config = join(setting.directory, "auraed.toml");
  await writeFile(config, "");
  const daemon = setting.start(["--config", config]);
  await daemon.says('"serving"');

  await writeFile(config, '[log]\nlevel = "debug"\n');
  daemon.child.kill("SIGHUP");
  await daemon.says('"level":"debug","msg":"reloaded');
  await writeFile(join(setting.directory, "pki/server.crt"), "broken");
  daemon.child.kill("SIGHUP");

  assert.match(await daemon.says("kept the old"), /server\.crt: it is not a certificate/);
});

test("descriptors of the starter are closed (finding 4)", { skip }, async () => {
  await using setting = await setUp();
  const secret = join(setting.directory, "secret");
  await writeFile(secret, "");
  const inherited = Array.from({ length: 30 }, () => openSync(secret, "r"));

  const daemon = setting.start([], inherited);
  await daemon.says('"serving"');

  const open = `/proc/${daemon.child.pid}/fd`;
  const targets = readdirSync(open).map((descriptor) => readlinkSync(join(open, descriptor)));
  assert.deepEqual(
    targets.filter((target) => target === secret),
    [],
  );
});

test("wrong usage ends with 2, a missing certificate with 1, each in one line", {
  skip,
}, async () => {
  await using setting = await setUp();
  await rm(join(setting.directory, "pki/ca.crt"));

  const usage = setting.start(["--sokcet"]);
  const missing = setting.start();

  assert.deepEqual([await usage.exits(), await missing.exits()], [2, 1]);
  assert.match(usage.lines.join("\n"), /^auraed: Cannot read the command line: [^\n]+\n$/);
  assert.match(
    missing.lines.join("\n"),
    /^auraed: Cannot read [^\n]+ca\.crt: [^\n]+pki init[^\n]+\n$/,
  );
});

test("systemd is told that the daemon is ready, and that it stops", { skip }, async () => {
  await using setting = await setUp();
  const told = join(setting.directory, "told");
  const bin = join(setting.directory, "systemd-notify");
  await writeFile(bin, `#!/bin/sh\necho "$@" >>${told}\n`, { mode: 0o755 });
  const environment = { PATH: `${setting.directory}:${process.env["PATH"]}`, NOTIFY_SOCKET: "/n" };
  const child = spawn(process.execPath, [main, ...setting.args], {
    ...{ stdio: ["ignore", "ignore", "pipe"], env: environment },
  });
  const daemon = new Daemon(child);
  await daemon.says('"serving"');

  child.kill("SIGTERM");
  await daemon.exits();

  assert.match(await readFile(told, "utf8"), /^READY=1 STATUS=listening on unix:.*\nSTOPPING=1 /);
});
