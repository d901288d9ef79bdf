import type { FailpointName } from "./names.ts";

/** A point at which a test may crash the daemon; see docs/failpoints.md. Here it does nothing. */
export function failpoint(_name: FailpointName): void {}
