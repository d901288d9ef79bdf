import type { Command, Option } from "commander";

/**
 * For commands that take another command (`aer run ls -la`): put "--" before its first word, so that
 * its flags are its own. Without it `aer run python3 -V` would show our version and run nothing.
 */
export function separateCommand(
  args: readonly string[],
  path: readonly string[],
  command: Command,
  globals: readonly Option[],
): readonly string[] {
  const last = command.registeredArguments.at(-1);
  if (last?.name() !== "command") return args;
  const ours = path.length + command.registeredArguments.length - 1;
  const withValue = new Set(
    [...globals, ...command.options]
      .filter(({ required }) => required)
      .flatMap(({ short, long }) => [short, long]),
  );
  let operands = 0;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") return args;
    if (arg.startsWith("-")) {
      if (withValue.has(arg)) at += 1;
      continue;
    }
    operands += 1;
    if (operands > ours) return [...args.slice(0, at), "--", ...args.slice(at)];
  }
  return args;
}
