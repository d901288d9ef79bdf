import { fileURLToPath } from "node:url";

/** Where the programs are that cells need. */
export const shimDirectory: string = fileURLToPath(
  new URL("../../../../native/cell-shim/build", import.meta.url),
);
