import { globSync, readFileSync } from "node:fs";
import { faultsIn } from "./fault-titles.ts";

/**
 * Every row of docs/faults.md is named by a test ("… (fault 45)" at the end of its title), or says why it
 * is not tested. With --list it also prints which tests hold which row.
 */
const root = `${import.meta.dirname}/..`;
const sources = [
  "packages/*/src/**/*.{test,suite}.ts",
  "conformance/**/*.test.ts",
  "native/*/test/*.{ts,c}",
  "tools/*.test.ts",
];

const rows = readFileSync(`${root}/docs/faults.md`, "utf8").split("\n").flatMap(toRow);
const holders = new Map<number, string[]>();
for (const file of globSync(sources, { cwd: root, exclude: ["**/node_modules", "**/build"] })) {
  for (const title of titlesIn(readFileSync(`${root}/${file}`, "utf8")))
    for (const number of faultsIn(title)) add(number, `${file}: ${title}`);
}

const known = new Set(rows.map(({ number }) => number));
const tested = rows.filter(({ number }) => holders.has(number));
const explained = rows.filter(({ number, why }) => why !== "" && !holders.has(number));
const open = rows.filter(({ number, why }) => why === "" && !holders.has(number));
const complaints = [
  ...open.map(({ number }) => `row ${number} is named by no test, and does not say why`),
  ...[...holders.keys()]
    .filter((number) => !known.has(number))
    .map((number) => `a test names row ${number}, which is not there`),
];
if (rows.length === 0) complaints.push("there is no row");

if (process.argv.includes("--list")) list();
for (const complaint of complaints) console.error(`docs/faults.md: ${complaint}`);
console.log(
  `faults: ${rows.length} rows, ${tested.length} tested, ${explained.length} not yet and say why`,
);
process.exitCode = complaints.length === 0 ? 0 : 1;

function toRow(line: string): readonly { readonly number: number; readonly why: string }[] {
  const [, number, why] = /^\| (\d+) \| .* \| (.*?) ?\|$/.exec(line) ?? [];
  return number === undefined ? [] : [{ number: Number(number), why: why ?? "" }];
}

/** Text in quotes that names a fault; a comment that does is no test. */
function titlesIn(text: string): readonly string[] {
  return [...text.matchAll(/["'`](?:[^"'`\n]* )?\(faults? [0-9][^)]*\)/g)].map(([title]) =>
    title.slice(1),
  );
}

function add(number: number, holder: string): void {
  holders.set(number, [...(holders.get(number) ?? []), holder]);
}

function list(): void {
  for (const { number, why } of rows) {
    console.log(`fault ${number}${why === "" ? "" : `: ${why}`}`);
    for (const holder of holders.get(number) ?? []) console.log(`    ${holder}`);
  }
}
