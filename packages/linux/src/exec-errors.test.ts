import assert from "node:assert/strict";
import { closeSync, copyFileSync, openSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import type { ExecutableSpec } from "@aurae/domain/cells";
import { assertNothingLeft, settledCensus } from "./testing/leak-oracle.ts";
import { skipWithoutKernel as skip, warmSetting } from "./testing/linux-setting.ts";
import { WatchedCell } from "./testing/watched-cell.ts";

interface Refusal {
  readonly what: string;
  readonly command: string;
  readonly errno: string;
  readonly kind: "wrong-state" | "invalid";
  readonly reason: string;
  readonly more?: Partial<ExecutableSpec>;
}

const notFound = { kind: "wrong-state", reason: "COMMAND_NOT_FOUND" } as const;
const notExecutable = { kind: "wrong-state", reason: "COMMAND_NOT_EXECUTABLE" } as const;
const unusable = { kind: "wrong-state", reason: "WORKDIR_UNUSABLE" } as const;
const tooLong = { kind: "invalid", reason: "ARGUMENTS_TOO_LONG" } as const;

/** What is relative is in a directory that the test makes. */
const refusals: readonly Refusal[] = [
  { what: "is not there", command: "/nonexistent", errno: "ENOENT", ...notFound },
  { what: "has no such interpreter", command: "lost", errno: "ENOENT", ...notFound },
  { what: "is below a file", command: "/etc/passwd/x", errno: "ENOTDIR", ...notFound },
  { what: "is a directory", command: "/tmp", errno: "EACCES", ...notExecutable },
  { what: "may not be executed", command: "/etc/passwd", errno: "EACCES", ...notExecutable },
  { what: "is no program", command: "nonsense", errno: "ENOEXEC", ...notExecutable },
  { what: "is being written", command: "written", errno: "ETXTBSY", ...notExecutable },
  { what: "is a link to itself", command: "loop", errno: "ELOOP", ...notExecutable },
  {
    ...{ what: "has no such directory", command: "/bin/true", errno: "ENOENT", ...unusable },
    more: { workingDirectory: "/no" },
  },
  {
    ...{ what: "has a file for a directory", command: "/bin/true", errno: "ENOTDIR", ...unusable },
    more: { workingDirectory: "/etc/passwd" },
  },
  {
    ...{ what: "has a directory of links", command: "/bin/true", errno: "ELOOP", ...unusable },
    more: { workingDirectory: "loop" },
  },
  {
    ...{ what: "has too many arguments", command: "/bin/true", errno: "E2BIG", ...tooLong },
    more: { args: Array.from({ length: 200 }, () => "x".repeat(131_072)) },
  },
  {
    ...{
      what: "has an argument that is too long",
      command: "/bin/true",
      errno: "E2BIG",
      ...tooLong,
    },
    more: { args: ["x".repeat(131_072)] },
  },
];

for (const { what, command, errno, kind, reason, more } of refusals) {
  test(`start() refuses a command that ${what}: ${errno}, and the cell is as before (fault 42)`, {
    skip,
  }, async () => {
    await using setting = await warmSetting();
    using _open = makePrograms(setting.directory);
    const cell = await WatchedCell.allocate(setting.host, "web");
    const before = await settledCensus(setting);
    const workingDirectory = resolve(setting.directory, more?.workingDirectory ?? "/");
    const path = resolve(setting.directory, command);

    await assert.rejects(
      cell.start(1, path, { ...more, workingDirectory, noShell: true }),
      (failure: { kind: string; reason: string; metadata: Record<string, string> }) => {
        const { kind: metKind, reason: metReason, metadata } = failure;
        assert.deepEqual([metKind, metReason, metadata["errno"]], [kind, reason, errno]);
        return true;
      },
    );

    await assertNothingLeft(setting, before);
    await cell.start(2, "exit 5");
    assert.equal((await cell.closed(2)).end?.exitCode, 5);
    await cell.enclosure.end(0);
  });
}

/** Programs that cannot be run; one of them while it is held open. */
function makePrograms(directory: string): Disposable {
  const mode = { mode: 0o755 };
  writeFileSync(join(directory, "nonsense"), "\x7fELF nonsense", mode);
  writeFileSync(join(directory, "lost"), "#!/nonexistent\n", mode);
  symlinkSync("loop", join(directory, "loop"));
  copyFileSync("/bin/true", join(directory, "written"));
  const written = openSync(join(directory, "written"), "r+");
  return { [Symbol.dispose]: () => closeSync(written) };
}
