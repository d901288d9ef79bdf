/** The rows of docs/faults.md that the title of a test names at its end: "(fault 45)", "(faults 61, 67)", "(faults 68–70)". */
export function faultsIn(title: string): readonly number[] {
  const words = /\(faults? ([0-9][^)]*)\)/.exec(title)?.[1] ?? "";
  return words
    .split(/, | and /)
    .filter(Boolean)
    .flatMap(toRange);
}

function toRange(text: string): readonly number[] {
  const [first = 0, last = first] = text.split("–").map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
