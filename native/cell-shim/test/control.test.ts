import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { Connection } from "./connection.ts";
import { Reader, readFailure, readRecord, type, Writer } from "./frames.ts";
import { build, Cell, firstOutput, skip, turn, useNode } from "./rig.ts";

suite("the connection to the shim", { skip }, () => {
  const node = useNode();

  test("a new connection takes the place of the old, and STATE tells the open runs", async () => {
    await using cell = await Cell.open(node());
    const { run } = await cell.sh("a", "sleep 100");
    const old = cell.connection;

    await cell.reconnect();
    await old.end();
    const state = new Reader((await cell.connection.ask(type.state, Buffer.alloc(0))).payload);

    assert.deepEqual(
      [state.i32(), state.u64() > 0n, state.i32()],
      [cell.supervisor, true, cell.init],
    );
    assert.deepEqual([state.u64(), state.u32(), state.u8()], [cell.initStart, 1, 0]);
    assert.equal(readRecord(0, state.bytes()).run, run);
    assert.equal(statSync(join(cell.directory, "s.sock")).mode & 0o777, 0o600);
  });

  test("a hello of another cell is refused, and the right one is heard again", async () => {
    await using cell = await Cell.open(node());
    const old = cell.connection;

    await using other = new Connection(join(cell.directory, "s.sock"));
    other.hello("ffffffffffffffff");
    await Promise.all([other.end(), old.end()]);
    await cell.reconnect();

    assert.equal((await cell.connection.ask(type.state, Buffer.alloc(0))).type, type.stateIs);
  });

  test("bad frames close the connection and change nothing", async () => {
    await using cell = await Cell.open(node());
    const stop = new Writer().u64(1n).u32(15).u32(0).bytes();
    const bad: [number, number, Buffer][] = [
      [99, 1, Buffer.alloc(0)],
      [type.state, 0, Buffer.alloc(0)],
      [type.state, 1, Buffer.alloc(1)],
      [type.stop, 1, stop.subarray(1)],
      [type.enclose, 1, Buffer.alloc(0)],
      [
        type.start,
        1,
        new Writer().u64(1n).text("../x").u32(1).text("a").u32(0).text("/").u64(0n).bytes(),
      ],
      [type.start, 1, new Writer().u64(1n).text("x").u32(0xffffffff).bytes()],
    ];

    for (const [kind, request, payload] of bad) {
      cell.connection.sendRaw(kind, request, payload);
      await cell.connection.end();
      await cell.reconnect();
    }
    cell.connection.socket.write(Buffer.from("ffffffff00000000", "hex"));
    cell.connection.socket.write(Buffer.alloc(2));
    await cell.connection.end();
    await cell.reconnect();
  });

  test("a run that ends while nobody is connected leaves its record and its log", async () => {
    await using cell = await Cell.open(node());
    const { run, pid } = await cell.sh(
      "a",
      "read line < /tmp/nothing; sleep 0.05; echo late; exit 7",
    );

    cell.connection.socket.destroy();
    while (existsSync(`/proc/${pid}`)) await turn();
    await cell.reconnect();

    const file = readFileSync(join(cell.directory, "runs", `${run}`));
    assert.equal(readRecord(0, file.subarray(16)).status, 7);
    assert.match(cell.log("a", run), /late/);
  });

  test("a launcher that cannot start says why in one line", async () => {
    const launcher = spawn(join(build, "aurae-launcher"), ["/nonexistent/socket", build]);

    const line = await firstOutput(launcher);
    if (launcher.exitCode === null) await once(launcher, "exit");

    assert.equal(line, "Cannot listen on /nonexistent/socket: No such file or directory\n");
    assert.equal(launcher.exitCode, 1);
  });

  test("a launcher whose supervisor cannot run answers FAILED", async () => {
    const [socket, program] = [join(node().directory, "l.sock"), join(node().directory, "broken")];
    writeFileSync(program, "\x7fELF nonsense", { mode: 0o755 });
    const launcher = spawn(join(build, "aurae-launcher"), [socket, program]);
    await firstOutput(launcher);

    await using connection = new Connection(socket);
    const frame = await connection.take("an answer", (each) => each.request === 0);

    assert.deepEqual(readFailure(frame), { errno: 8, step: "launch" });
    launcher.kill("SIGKILL");
    await once(launcher, "exit");
  });
});
