import { crc32 } from "node:zlib";
import { ByteWriter } from "../shim/bytes.ts";

/** The file of the record of a run that had not ended, with the pid 42, as docs/design/shim.md has it. */
export function encodeOpenRecord(run: number, executable: string): Buffer {
  const record = new ByteWriter()
    .u64(BigInt(run))
    .bytes(executable)
    .i32(42)
    .u64(777n)
    .i64(1_000n)
    .i64(0n)
    .u8(0)
    .i32(0)
    .u8(0)
    .u8(0)
    .u64(0n)
    .u32(0)
    .finish();
  const header = new ByteWriter().u32(0x5252_5541).u16(1).u16(0).u32(record.length);
  return Buffer.concat([header.u32(crc32(record)).finish(), record]);
}
