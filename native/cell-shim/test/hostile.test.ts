import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { promisify } from "node:util";
import { Connection } from "./connection.ts";
import { boot, type as frameType, Reader, readRecord, Writer } from "./frames.ts";
import { Cell, skip, useNode } from "./rig.ts";

const run = promisify(execFile);
const nothing = Buffer.alloc(0);

/** A frame as it should be, or with a length of its own choice. */
function frame(type: number, request: number, payload: Buffer, length = payload.length): Buffer {
  const header = Buffer.alloc(10);
  header.writeUInt32LE(length);
  header.writeUInt16LE(type, 4);
  header.writeUInt32LE(request, 6);
  return Buffer.concat([header, payload]);
}

const stop = new Writer().u64(1n).u32(9).u32(0).bytes();

/** What no daemon sends after its hello. */
const frames: readonly (readonly [string, Buffer])[] = [
  ["of no known type", frame(99, 1, nothing)],
  ["of type 0", frame(0, 1, nothing)],
  ["that are answers", frame(frameType.stateIs, 1, nothing)],
  ["with request 0", frame(frameType.stop, 0, stop)],
  ["that claim 4 GiB", frame(frameType.state, 1, nothing, 0xffff_ffff)],
  ["that claim a byte too many", frame(frameType.state, 1, nothing, 2 ** 20 + 1)],
  ["as long as may be, full of nothing", frame(frameType.state, 1, Buffer.alloc(2 ** 20))],
  ["with bytes left over", frame(frameType.stop, 1, Buffer.concat([stop, Buffer.alloc(1)]))],
  ["that are cut", frame(frameType.stop, 1, stop.subarray(0, -1))],
  ["that make a second cell", frame(frameType.enclose, 1, Buffer.alloc(64))],
  ["that greet again", frame(frameType.hello, 0, nothing)],
];

async function refusedBy(cell: Cell): Promise<number> {
  const state = new Reader((await cell.connection.ask(frameType.state, nothing)).payload);
  state.i32(); // The supervisor, and its start; then the init, and its own.
  state.u64();
  state.i32();
  state.u64();
  for (let runs = state.u32(); runs > 0; runs--) readRecord(state.u8(), state.bytes());
  const refused = state.u32();
  assert.equal(state.left, 0);
  return refused;
}

function descriptorsOf(cell: Cell): number {
  return readdirSync(`/proc/${cell.supervisor}/fd`).length;
}

suite("hostile frames", { skip }, () => {
  const node = useNode();

  test("frames that no daemon sends close the connection, are counted, and change nothing (fault 48)", async () => {
    await using cell = await Cell.open(node());
    const { run: number, pid } = await cell.sh("a", "exec sleep 100");
    assert.equal(await refusedBy(cell), 0); // By now S has the record open too.
    const before = descriptorsOf(cell);

    for (const [index, [what, bytes]] of frames.entries()) {
      cell.connection.socket.write(bytes);
      await cell.connection.end();
      await cell.reconnect();
      assert.equal(await refusedBy(cell), index + 1, what);
    }

    assert.equal(descriptorsOf(cell), before);
    process.kill(pid, "SIGTERM");
    assert.equal((await cell.connection.run(number, 7)).status, 15);
  });

  test("frames before the hello, and one that never ends, close the connection (fault 48)", async () => {
    await using cell = await Cell.open(node());
    const socket = join(cell.directory, "s.sock");
    const before = descriptorsOf(cell);

    for (const bytes of [frame(frameType.stop, 1, stop), Buffer.alloc(10, 0xff)]) {
      await using early = new Connection(socket);
      early.socket.write(bytes);
      await early.end();
      assert.deepEqual(early.frames, []);
    }
    await using cut = new Connection(socket);
    cut.hello(cell.id);
    cut.socket.end(frame(frameType.stop, 1, stop).subarray(0, 20));
    await cut.end();
    await cell.reconnect();

    assert.equal(await refusedBy(cell), 2); // Who leaves in the middle of a frame was not refused.
    assert.equal(descriptorsOf(cell), before);
  });

  test("a frame that carries descriptors closes the connection, and they are closed (fault 48)", async () => {
    await using cell = await Cell.open(node());
    const before = descriptorsOf(cell);
    const hello = new Writer().u32(0x53525541).u16(1).text(cell.id).text(boot).text("test").bytes();
    const bytes = Buffer.concat([
      frame(frameType.hello, 0, hello),
      frame(frameType.end, 1, new Writer().u32(0).bytes()),
    ]);
    const socket = join(cell.directory, "s.sock");

    for (const count of ["1", "253"]) {
      const program = join(import.meta.dirname, "send-descriptors.py");
      await run("python3", [program, socket, bytes.toString("hex"), count]);
    }
    await cell.reconnect();

    assert.equal(await refusedBy(cell), 2);
    assert.equal(descriptorsOf(cell), before);
  });
});
