import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { leaksSince, takeCensus } from "@aurae/conformance/oracle";
import { openTerminal, type Terminal } from "./terminal.ts";

/** The main job, from nothing to nothing: a PKI, a daemon, a cell with limits, real programs, the clean end. */

const directory = await mkdtemp("/tmp/aurae-demo-");
const before = takeCensus({ directory });
const terminal = openTerminal({
  AER_SOCKET: `${directory}/run/aurae.sock`,
  AER_CA_CRT: `${directory}/pki/ca.crt`,
  AER_CLIENT_CRT: `${directory}/pki/client.crt`,
  AER_CLIENT_KEY: `${directory}/pki/client.key`,
});
const { say, run } = terminal;

try {
  say("Certificates: an authority, the daemon's, and one client's");
  await run(["pki", "init", `${directory}/pki`]);

  say("A daemon of our own, on a Unix socket with mutual TLS");
  {
    await using _daemon = await startDaemon(terminal);
    await showCells();
    say("The daemon ends");
  }
  await proveNothingIsLeft();
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function showCells(): Promise<void> {
  say("A cell: namespaces of its own, half a CPU, 64 MiB, at most 50 processes");
  const limits = ["--cpus", "0.5", "--memory", "64M", "--memory-swap", "0", "--pids", "50"];
  await run(["cell", "allocate", "shop", ...limits]);

  say("A pipeline in a shell, and its lines as they come");
  await run([
    "cell",
    "start",
    "shop",
    "fruit",
    "--sh",
    'printf "pear\\nfig\\napple\\n" | sort | nl',
  ]);
  await run(["logs", "shop", "fruit", "-f"]);

  say("Both channels: stderr stays stderr");
  await run([
    "cell",
    "start",
    "shop",
    "voices",
    "--sh",
    "echo to stdout; echo to stderr >&2; exit 3",
  ]);
  await run(["logs", "shop", "voices", "-f"]);
  await run(["wait", "shop", "voices"], 3);
  terminal.note("aer wait exits as the command did: 3");

  say("One that wants more memory than the cell has: the kernel ends it, and we are told why");
  const greedy = "x=1234567890; while :; do x=$x$x; done";
  await run(["cell", "start", "shop", "greedy", "--sh", greedy]);
  await run(["wait", "shop", "greedy"], 137);

  say("One that spawns a tree, and what the node looks like meanwhile");
  const tree =
    "for i in 1 2 3; do (sleep 1000 & sleep 1000) & done; echo pid 1 here is $(cat /proc/1/comm); wait";
  await run(["cell", "start", "shop", "tree", "--sh", tree]);
  await run(["cell", "list"]);

  say("Stop ends the whole tree");
  await run(["cell", "stop", "shop", "tree"]);

  say("One line for all of it: a cell of its own, the output, the exit code, and everything freed");
  await run(["run", "--memory", "32M", "--", "id", "-un"]);

  say("Free the cell: nothing is left of it but its logs");
  await run(["cell", "free", "shop"]);
  await run(["cell", "list"]);
}

/** Start auraed and wait until it serves; leaving the scope ends it. */
async function startDaemon({ note }: Terminal): Promise<AsyncDisposable> {
  const flags = [
    ...["--runtime-dir", `${directory}/run`, "--library-dir", `${directory}/lib`],
    ...["--socket", `${directory}/run/aurae.sock`, "--ca-crt", `${directory}/pki/ca.crt`],
    ...[
      "--server-crt",
      `${directory}/pki/server.crt`,
      "--server-key",
      `${directory}/pki/server.key`,
    ],
  ];
  const command = [...flags, "--free-on-exit"];
  terminal.show("auraed", command);
  const daemon = spawn(`${import.meta.dirname}/../bin/auraed`, command, {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(daemon, "exit");
  let serves = false;
  for await (const line of createInterface({ input: daemon.stderr })) {
    serves = line.includes('"serving"');
    if (serves) break;
    console.error(line);
  }
  if (!serves) throw new Error("auraed ended before it served: see above");
  daemon.stderr.resume();
  note(
    `auraed serves as process ${daemon.pid}; aer finds it by AER_SOCKET and the AER_ variables of its certificates`,
  );
  return {
    async [Symbol.asyncDispose]() {
      daemon.kill("SIGTERM");
      await exited;
      if (daemon.exitCode !== 0) {
        throw new Error(`auraed ended with ${daemon.exitCode ?? daemon.signalCode}`);
      }
    },
  };
}

async function proveNothingIsLeft(): Promise<void> {
  // Empty directories and the lock are of no cell.
  const left = await leaksSince(before, () => ({ ...takeCensus({ directory }), files: [] }));
  if (left.length > 0) throw new Error(`Something is left: ${left.join(", ")}`);
  terminal.note("Nothing is left: no process, no cgroup, no mount");
}
