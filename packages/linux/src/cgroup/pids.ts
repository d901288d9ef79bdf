import type { Limits } from "@aurae/domain/cells";
import type { LimitWrite } from "./limit-write.ts";

/** The write for processes and threads; the same file in both versions. */
export function pidsWrites({ pidsMax }: Limits): readonly LimitWrite[] {
  return [{ controller: "pids", file: "pids.max", value: String(pidsMax), compare: "exact" }];
}
