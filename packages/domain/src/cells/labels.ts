import { utf8Length } from "../utf8.ts";
import type { Violations } from "../violations.ts";

const maxLabels = 64;
const key = /^[a-z0-9._/-]{1,63}$/;

/** Labels, kept for the caller; what is wrong is noted under `field`. */
export function parseLabels(
  raw: Readonly<Record<string, string>>,
  field: string,
  violations: Violations,
): ReadonlyMap<string, string> {
  const labels = Object.entries(raw);
  if (labels.length > maxLabels)
    violations.add(field, "FIELD_INVALID", `must be at most ${maxLabels}`);
  for (const [name, value] of labels) {
    if (!key.test(name)) {
      violations.add(
        field,
        "FIELD_INVALID",
        `must have keys of 1–63 of a–z, 0–9 and "._/-", not ${JSON.stringify(name.slice(0, 80))}`,
      );
    }
    if (utf8Length(value) > 255)
      violations.add(`${field}["${name}"]`, "FIELD_INVALID", "must be at most 255 bytes");
  }
  return new Map(labels);
}
