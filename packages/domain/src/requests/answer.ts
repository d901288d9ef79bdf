import type { RunEnd } from "../cells/run-end.ts";

/** What a request was answered, when that was no error. */
export type Answer =
  | { readonly kind: "allocated" }
  | {
      readonly kind: "started";
      readonly run: number;
      readonly pid: number;
      readonly startedAtNs: bigint;
    }
  | { readonly kind: "stopped"; readonly end: RunEnd }
  | { readonly kind: "freed" };

export type AnswerOf<Kind extends Answer["kind"]> = Extract<Answer, { readonly kind: Kind }>;
