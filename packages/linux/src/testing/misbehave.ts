import { join } from "node:path";

/** A program that does what programs should not: native/cell-shim/test/misbehave.c says what. */
export const misbehave: string = join(
  import.meta.dirname,
  "../../../../native/cell-shim/build/misbehave",
);
