import assert from "node:assert/strict";
import { test } from "node:test";
import { BadRequestSchema, ErrorInfoSchema } from "@aurae/api/error-details";
import { StatusSchema } from "@aurae/api/status";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { toWireStatus } from "./status-details.ts";

function statusWith(text: string, count: number) {
  const violation = { field: text, reason: "FIELD_INVALID", description: text } as const;
  return toWireStatus({
    code: status.INVALID_ARGUMENT,
    reason: "LIMIT_NOT_HELD",
    message: text,
    metadata: { asked: text, held: text, file: text, cell: text },
    violations: new Array(count).fill(violation),
  });
}

function detailsOf(wire: ReturnType<typeof toWireStatus>): Buffer {
  const [bytes] = wire.metadata.get("grpc-status-details-bin");
  assert.ok(bytes instanceof Buffer);
  return bytes;
}

for (const character of ["x", "é", "\u{1F600}", "\uD800", '"', "%"]) {
  test(`the trailer of a long ${JSON.stringify(character)} fits into 8 KiB of headers`, () => {
    const wire = statusWith(character.repeat(5000), 1000);

    const trailer = encodeURI(wire.details).length + detailsOf(wire).toString("base64").length;

    // What is left is for the names, and for what HTTP/2 counts with each.
    assert.ok(trailer < 7680, `${trailer} bytes`);
  });
}

test("long metadata is cut and leaves room for a violation", () => {
  const { details } = fromBinary(StatusSchema, detailsOf(statusWith("0-4,".repeat(1000), 1)));

  const info = details.map((any) => anyUnpack(any, ErrorInfoSchema)).find(Boolean);
  const bad = details.map((any) => anyUnpack(any, BadRequestSchema)).find(Boolean);
  assert.match(info?.metadata["asked"] ?? "", /^0-4,.*…$/);
  assert.equal(bad?.fieldViolations.length, 1);
});

test("what is short stays as it is", () => {
  const wire = statusWith("“web” is é", 2);

  assert.equal(wire.details, "“web” is é");
});
