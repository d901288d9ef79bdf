import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Daemon } from "../daemon.ts";

const folder = import.meta.dirname;
const seedProtos = `${folder}/../../api/seed`;

export interface SeedClient extends AsyncDisposable {
  /** One call with the seed's messages, in proto3 JSON; a stream is answered with all of its items. */
  call(method: keyof typeof methods, request: object): Promise<Answer>;
}

export type Answer =
  | {
      readonly ok: Readonly<Record<string, unknown>> | readonly Readonly<Record<string, unknown>>[];
    }
  | { readonly code: string; readonly message: string };

const methods = {
  Allocate: { type: "AllocateCellRequest", stream: false },
  Free: { type: "FreeCellRequest", stream: false },
  Start: { type: "StartCellRequest", stream: false },
  Stop: { type: "StopCellRequest", stream: false },
  GetSubProcessStream: { type: "GetSubProcessStreamRequest", stream: true },
} as const;

/** Debian's Python client, with stubs made from the seed's protos and nothing else. */
export function startSeedClient(daemon: Daemon, target: string): SeedClient {
  const stubs = `${daemon.directory}/stubs`;
  execFileSync("mkdir", ["-p", stubs]);
  const plugin = "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin";
  const out = [`--python_out=${stubs}`, `--grpc_python_out=${stubs}`];
  execFileSync("protoc", [plugin, ...out, `-I${seedProtos}`, "runtime.proto", "observe.proto"]);

  // The system's own interpreter: Debian's packages belong to it.
  const { ca, certificate, key } = daemon.client;
  const child = spawn(
    "/usr/bin/python3",
    [`${folder}/seed_client.py`, target, ca, certificate, key],
    {
      stdio: ["pipe", "pipe", "inherit"],
      env: { PATH: process.env["PATH"], PYTHONPATH: stubs },
    },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));

  return {
    async call(method, request) {
      child.stdin.write(`${JSON.stringify({ method, request, ...methods[method] })}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error("Cannot call the daemon: the Python client has ended");
      return JSON.parse(value) as Answer;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await gone;
    },
  };
}
