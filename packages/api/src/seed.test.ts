import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import {
  createFileRegistry,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonObject,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import * as observe from "./gen/observe_pb.ts";
import * as runtime from "./gen/runtime_pb.ts";

const root = `${import.meta.dirname}/../../..`;
const alone = JSON.stringify({ version: "v2", modules: [{ path: "api/seed" }] });

/** The seed's messages as a client of that day has them: from the frozen protos and nothing else. */
const seed = createFileRegistry(
  fromBinary(
    FileDescriptorSetSchema,
    execFileSync("buf", ["build", "--config", alone, "-o", "-"], { cwd: root }),
  ),
);

interface Golden {
  readonly schema: DescMessage;
  /** The bytes on the wire, written down by hand from the seed's numbers. */
  readonly hex: string;
  readonly content: JsonObject;
  /** A value for every field that grew since. */
  readonly grown?: JsonObject;
}

const end = { reason: "END_REASON_EXITED", exitCode: 3 };
const cell = { name: "web", cpuShares: "1024" };
const executable = { name: "x", command: "id", description: "d", cellName: "web" };

const messages: readonly Golden[] = [
  {
    schema: runtime.AllocateCellRequestSchema,
    hex: "0a080a03776562108008",
    content: { cell },
    grown: { requestId: "r-1" },
  },
  {
    schema: runtime.AllocateCellResponseSchema,
    hex: "0a037765621001",
    content: { cellName: "web", cgroupV2: true },
  },
  {
    schema: runtime.CellSchema,
    hex: "0a03776562108008",
    content: cell,
    grown: { limits: { pidsMax: 7 }, isolation: { sharePid: true }, labels: { a: "b" } },
  },
  {
    schema: runtime.ExecutableSchema,
    hex: "0a017812026964" + "1a01642203776562",
    content: executable,
    grown: {
      ...{ args: ["-u"], env: { A: "b" }, workingDirectory: "/tmp", uid: 5, gid: 6, noShell: true },
    },
  },
  {
    schema: runtime.FreeCellRequestSchema,
    hex: "0a03776562",
    content: { cellName: "web" },
    grown: { graceMs: 5, requestId: "r-1" },
  },
  { schema: runtime.FreeCellResponseSchema, hex: "", content: {} },
  {
    schema: runtime.StartCellRequestSchema,
    hex: "0a0f0a0178120269641a01642203776562",
    content: { executable },
    grown: { requestId: "r-1" },
  },
  { schema: runtime.StartCellResponseSchema, hex: "", content: {}, grown: { pid: "9", run: "1" } },
  {
    schema: runtime.StopCellRequestSchema,
    hex: "0a03776562120178",
    content: { cellName: "web", executableName: "x" },
    grown: { graceMs: 5, requestId: "r-1" },
  },
  { schema: runtime.StopCellResponseSchema, hex: "", content: {}, grown: { end } },
  {
    schema: observe.GetAuraeDaemonLogStreamRequestSchema,
    hex: "",
    content: {},
    grown: { follow: false, sinceNs: "1", tail: "2" },
  },
  {
    schema: observe.GetSubProcessStreamRequestSchema,
    hex: "080110d209",
    content: { channelType: "CHANNEL_STDERR", processId: "1234" },
    grown: {
      ...{ cellName: "web", executableName: "x", run: "1", follow: false },
      ...{ sinceNs: "1", tail: "2", allChannels: true },
    },
  },
  {
    schema: observe.LogItemSchema,
    hex: "0a09783a3a7374646f757412026869" + "1880e2cfaa06",
    content: { channel: "x::stdout", line: "hi", timestamp: "1700000000" },
    grown: { raw: "AAE=", timestampNs: "5", partial: true, gap: { linesDropped: "4" } },
  },
];

for (const { schema, hex, content, grown = {} } of messages) {
  const old = seed.getMessage(schema.typeName);

  test(`${schema.typeName} of the seed is read and written to the byte`, () => {
    const message = fromBinary(schema, Buffer.from(hex, "hex"));

    assert.deepEqual(toJson(schema, message), content);
    assert.equal(Buffer.from(toBinary(schema, message)).toString("hex"), hex);
  });

  test(`${schema.typeName} of today is read by a client of the seed, and comes back whole`, () => {
    assert.ok(old !== undefined);
    const bytes = toBinary(schema, fromJson(schema, { ...content, ...grown }));

    const seen = fromBinary(old, bytes);

    assert.deepEqual(toJson(old, seen), content);
    assert.deepEqual(toJson(schema, fromBinary(schema, toBinary(old, seen))), {
      ...content,
      ...grown,
    });
  });

  test(`${schema.typeName} grew from number 10 on, and each new field is tried here`, () => {
    const added = schema.fields.filter(
      ({ number }) => !old?.fields.some((each) => each.number === number),
    );

    assert.ok(added.every(({ number }) => number >= 10));
    assert.deepEqual(added.map(({ jsonName }) => jsonName).sort(), Object.keys(grown).sort());
  });
}

test("every message of the seed is in the table", () => {
  const names = [...seed].filter(({ kind }) => kind === "message").map(({ typeName }) => typeName);

  assert.deepEqual(messages.map(({ schema }) => schema.typeName).sort(), names.sort());
});
