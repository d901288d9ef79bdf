import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";

/**
 * Every promise of SPECIFICATION.md names at least one test, and each test that it names exists: a
 * title in backticks that stands in a test or suite. A promise without a test is only a wish.
 */
const root = `${import.meta.dirname}/..`;
const sources = [
  "packages/*/src/**/*.{test,suite}.ts",
  "conformance/**/*.test.ts",
  "native/*/test/*.{ts,c}",
  "tools/*.test.ts",
];

const tests: string[] = [];
for await (const file of glob(sources, {
  cwd: root,
  exclude: ["**/node_modules/**", "**/build/**"],
})) {
  tests.push(readFileSync(`${root}/${file}`, "utf8"));
}

const promises = readFileSync(`${root}/SPECIFICATION.md`, "utf8")
  .split("\n")
  .filter((line) => /^\| \d+ \|/.test(line));

const complaints = promises.flatMap((line) => {
  const [, number, , proof = ""] = line.split("|").map((part) => part.trim());
  const titles = [...proof.matchAll(/`([^`]+)`/g)].map(([, title = ""]) => title);
  if (titles.length === 0) return [`promise ${number} names no test`];
  const missing = titles.filter((title) => !tests.some((text) => text.includes(title)));
  return missing.map((title) => `promise ${number} names a test that is not there: ${title}`);
});

if (promises.length === 0) complaints.push("there is no promise");
for (const complaint of complaints) console.error(`SPECIFICATION.md: ${complaint}`);
process.exitCode = complaints.length === 0 ? 0 : 1;
