import assert from "node:assert/strict";
import { readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { after, before, test } from "node:test";
import { WireClient } from "./client.ts";
import { type Daemon, needsRoot, startDaemon } from "./daemon.ts";
import { mounts } from "./host.ts";

/** What a process in a cell has, and has not; seen from inside, by root of the cell. */

let daemon: Daemon;
let client: WireClient;

before(async () => {
  if (needsRoot) return;
  process.env["AURAE_CANARY"] = "secret";
  daemon = await startDaemon();
  client = new WireClient(daemon);
  await client.allocate({ name: "inside" });
});

after(async () => {
  client?.[Symbol.dispose]();
  await daemon?.[Symbol.asyncDispose]();
});

type Probe = readonly [title: string, script: string, expected: readonly string[]];

const probes: readonly Probe[] = [
  ["its leaf name as host name", "hostname", ["inside"]],
  [
    "the documented environment alone (fault 97)",
    "env | grep -v '^PWD=' | sort",
    ["HOME=/", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
  ],
  [
    "three descriptors, and the one that lists them (fault 96)",
    "ls /proc/self/fd",
    ["0", "1", "2", "3"],
  ],
  ["/dev/null as stdin", "readlink /proc/self/fd/0", ["/dev/null"]],
  ["a /proc with its own processes alone (fault 98)", "cat /proc/1/comm", ["aurae-init"]],
  ["loopback and no other device", "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '", ["lo"]],
  ["loopback up", "cat /proc/net/fib_trie | grep -c 127.0.0.1 || true", ["2"]],
  [
    "a cgroup namespace of its own",
    // "/" is where a version 1 hierarchy has nothing of the cell.
    "cut -d: -f3- /proc/self/cgroup | sort -u | grep -vx /",
    ["/x-main"],
  ],
  [
    "no file of a cgroup that it can write, and none that it can make (fault 99)",
    `find /sys/fs/cgroup/ 2>/dev/null | while read -r path; do
      if [ -f "$path" ]; then true >> "$path" && echo "writes $path"
      else mkdir "$path/made" && echo "makes $path/made"; fi
    done 2>/dev/null
    find /sys/fs/cgroup/ 2>/dev/null | grep -o 'x-main/cgroup.procs' | sort -u`,
    ["x-main/cgroup.procs"],
  ],
  [
    "the twelve capabilities and no more (fault 106)",
    "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | tr '\\t' ' '",
    [
      "CapInh: 0000000000000000",
      "CapPrm: 00000000a00405fb",
      "CapEff: 00000000a00405fb",
      "CapBnd: 00000000a00405fb",
      "CapAmb: 0000000000000000",
    ],
  ],
  [
    "no_new_privs (fault 101)",
    "grep NoNewPrivs /proc/self/status | tr '\\t' ' '",
    ["NoNewPrivs: 1"],
  ],
  ["no supplementary groups", "grep Groups /proc/self/status | tr -d ' \\t'", ["Groups:"]],
  [
    "umask 022, root as its directory, a session of its own",
    "umask; pwd; [ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && echo leader",
    ["0022", "/", "leader"],
  ],
  [
    "no signal blocked or ignored",
    "grep -E 'Sig(Blk|Ign)' /proc/self/status | tr '\\t' ' '",
    ["SigBlk: 0000000000000000", "SigIgn: 0000000000000000"],
  ],
];

for (const [title, script, expected] of probes) {
  test(`a process in a cell has ${title}`, { skip: needsRoot }, async () => {
    const { lines } = await client.run("inside", script);

    assert.deepEqual(lines, expected);
  });
}

test("a user in a cell has no capability at all", { skip: needsRoot }, async () => {
  const { lines } = await client.run(
    "inside",
    "id -u; grep CapEff /proc/self/status | tr '\\t' ' '",
    { uid: 65534 },
  );

  assert.deepEqual(lines, ["65534", "CapEff: 0000000000000000"]);
});

test("what is mounted for a cell is not mounted on the host (fault 102)", {
  skip: needsRoot,
}, async () => {
  const before = mounts();
  await client.allocate({ name: "mounts" });

  const { lines } = await client.run("mounts", "cat /proc/self/mountinfo");

  assert.equal(mounts(), before);
  const procs = lines.filter((line) => line.includes(" - proc "));
  assert.ok(procs.length > before.split("\n").filter((line) => line.includes(" - proc ")).length);
  assert.ok(
    lines.every((line) => !line.includes(" shared:")),
    "nothing of it comes back",
  );
});

test("a cell shares what it asks to share", { skip: needsRoot }, async () => {
  await client.allocate({ name: "shares", isolation: { shareUts: true, shareNetwork: true } });

  const { lines } = await client.run("shares", "hostname; readlink /proc/self/ns/net");

  assert.deepEqual(lines, [hostname(), readlinkSync("/proc/self/ns/net")]);
  await client.free("shares");
});

test("a child cell is inside its parent: its init is seen there, not the other way", {
  skip: needsRoot,
}, async () => {
  await client.allocate({ name: "inside/child" });

  const child = await client.run(
    "inside/child",
    "cat /proc/1/comm; ls /proc | grep -cE '^[0-9]+$'; hostname",
  );
  const parent = await client.run("inside", "grep -l aurae-init /proc/[0-9]*/comm | wc -l");

  assert.deepEqual([child.lines[0], child.lines[2]], ["aurae-init", "child"]);
  assert.deepEqual(parent.lines, ["2"]);
  await client.free("inside/child");
});
