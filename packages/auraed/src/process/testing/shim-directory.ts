import { fileURLToPath } from "node:url";
import type { shimDirectory as released } from "../shim-directory.ts";

/** Where the programs with failpoints are; see docs/failpoints.md. */
export const shimDirectory: typeof released = fileURLToPath(
  new URL("../../../../../native/cell-shim/build/failpoints", import.meta.url),
);
