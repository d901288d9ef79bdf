import type { Brand } from "../brand.ts";

/** One segment of the cell name's alphabet; made by {@link parseExecutableName}. */
export type ExecutableName = Brand<string, "ExecutableName">;

/** What to run, checked. Nothing in it holds a NUL. */
export interface ExecutableSpec {
  readonly name: ExecutableName;
  readonly command: string;
  readonly description: string;
  readonly args: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  /** Absolute. */
  readonly workingDirectory: string;
  readonly uid: number;
  readonly gid: number;
  /** Without a shell even when there are no args. */
  readonly noShell: boolean;
}

const basicEnvironment: readonly (readonly [string, string])[] = [
  ["PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
  ["HOME", "/"],
];

/** The argument vector: a command alone is for the shell (the meaning upstream gave it). */
export function toArgv(spec: ExecutableSpec): readonly string[] {
  const isProgram = spec.noShell || spec.args.length > 0;
  return isProgram ? [spec.command, ...spec.args] : ["/bin/sh", "-c", spec.command];
}

/** The whole environment as `KEY=value`: PATH and HOME, and over them what was asked for. */
export function toEnvironment(spec: ExecutableSpec): readonly string[] {
  return [...new Map([...basicEnvironment, ...spec.env])].map(([key, value]) => `${key}=${value}`);
}
