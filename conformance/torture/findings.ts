/** What must never be, by kind. */
export const findingKinds = [
  "lost",
  "doubled",
  "orphans",
  "leaks",
  "lostLines",
  "doubledLines",
  "wrongStatuses",
  "wrongAnswers",
  "broken",
] as const;

export type FindingKind = (typeof findingKinds)[number];

/** Something that is wrong, in words. */
export interface Finding {
  readonly kind: FindingKind;
  readonly text: string;
}

export function finding(kind: FindingKind, text: string): Finding {
  return { kind, text };
}
