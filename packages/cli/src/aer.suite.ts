import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after } from "node:test";
import { type FakeAnswers, FakeNode } from "@aurae/client/testing";
import { initDirectory } from "@aurae/pki";

/** A directory that goes when the tests of this file are over. */
export const directory: string = await mkdtemp(join(tmpdir(), "aer-"));
after(() => rm(directory, { recursive: true }));
const pki = join(directory, "pki");
await initDirectory(pki, { hostname: "node.test" });
const [caCrt, serverCrt, serverKey] = await Promise.all(
  ["ca.crt", "server.crt", "server.key"].map((name) => readFile(join(pki, name), "utf8")),
);
const socket = join(directory, "aurae.sock");
const bin = new URL("../../../bin/aer", import.meta.url).pathname;

/** The numbers of the wire that the answers below need. */
export const ended = { exited: 1, signaled: 2, oom: 3, aborted: 5 } as const;

/** A daemon that answers so, where {@link spawnAer} looks for it. */
export function startFake(answers: FakeAnswers): Promise<FakeNode> {
  const listen = `unix:${socket}`;
  assert.ok(caCrt !== undefined && serverCrt !== undefined && serverKey !== undefined);
  return FakeNode.start({ listen, caCrt, serverCrt, serverKey, answers });
}

/** Start the real aer, with the certificates of this file. */
export function spawnAer(...args: string[]): ChildProcess {
  return spawn(bin, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"],
      HOME: directory,
      AER_SOCKET: socket,
      AER_CA_CRT: join(pki, "ca.crt"),
      AER_CLIENT_CRT: join(pki, "client.crt"),
      AER_CLIENT_KEY: join(pki, "client.key"),
    },
  });
}

/** How aer ended, and what it wrote. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Wait until aer has ended. */
export async function finish(
  child: ChildProcess,
  encoding: BufferEncoding = "utf8",
): Promise<Finished> {
  assert.ok(child.stdout !== null && child.stderr !== null);
  child.stdout.setEncoding(encoding);
  child.stderr.setEncoding(encoding);
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await closed, stdout, stderr };
}

/** Run aer to its end. */
export function aer(...args: string[]): Promise<Finished> {
  return finish(spawnAer(...args));
}

/** A run that writes these lines and ends so. */
export function answerRun(
  end: { reason: (typeof ended)[keyof typeof ended]; exitCode?: number; signal?: number },
  lines: readonly { channel: string; line: string; raw?: Uint8Array; partial?: boolean }[] = [],
): FakeAnswers {
  return {
    allocate: ({ cell }) => ({ cellName: cell?.name ?? "" }),
    start: () => ({ pid: 42n, run: 1n }),
    wait: () => ({ executables: [{ end }] }),
    free: () => ({}),
    async *getSubProcessStream() {
      yield* lines;
    },
  };
}
