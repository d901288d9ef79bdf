import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
import { define as defineList } from "./commands/cell-list.ts";
import { define as defineStart } from "./commands/cell-start.ts";
import { define as defineRun } from "./commands/run.ts";
import { createGlobalFlags } from "./flags.ts";
import { separateCommand } from "./separate-command.ts";

function separated(
  line: string,
  path: readonly string[],
  define: (command: Command) => void,
): string {
  const command = new Command();
  define(command);
  return separateCommand(line.split(" "), path, command, createGlobalFlags()).join(" ");
}

for (const [line, expected] of [
  ["run python3 -V", "run -- python3 -V"],
  ["run --memory 64M ls -la /", "run --memory 64M -- ls -la /"],
  ["-o json run echo hi", "-o json run -- echo hi"],
  ["run -- ls -la", "run -- ls -la"],
  ["run --memory 64M", "run --memory 64M"],
]) {
  test(`separateCommand() of run: ${line}`, () => {
    assert.equal(separated(line ?? "", ["run"], defineRun), expected);
  });
}

test("separateCommand() of cell start leaves the cell and the executable alone", () => {
  const line = "cell start --env A=b web server python3 -V";

  const expected = "cell start --env A=b web server -- python3 -V";
  assert.equal(separated(line, ["cell", "start"], defineStart), expected);
});

test("separateCommand() does nothing for a command that takes no command", () => {
  assert.equal(
    separated("cell list web -o json", ["cell", "list"], defineList),
    "cell list web -o json",
  );
});
