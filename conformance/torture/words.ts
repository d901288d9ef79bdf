import { EndReasonSchema, type RunEnd } from "@aurae/api/runtime";
import type { DescEnum } from "@bufbuild/protobuf";

/** The end of a run in words that can be compared: "EXITED 7", "SIGNALED signal 9", "LOST". */
export function wordOf({ reason, exitCode, signal }: RunEnd): string {
  const how = signal === undefined ? exitCode : `signal ${signal}`;
  const name = nameOf(EndReasonSchema, reason);
  return how === undefined ? name : `${name} ${how}`;
}

/** What a value of an enum is called in the contract. */
export function nameOf(type: DescEnum, value: number): string {
  return type.value[value]?.localName ?? String(value);
}
