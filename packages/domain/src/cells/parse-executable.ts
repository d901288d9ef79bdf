import { utf8Length } from "../utf8.ts";
import { Violations, type Wrong } from "../violations.ts";
import { type CellName, isSegment, parseCellName } from "./cell-name.ts";
import type { ExecutableName, ExecutableSpec } from "./executable-spec.ts";

/** An executable as it comes from outside: `runtime.Executable` of the wire fits. */
export interface RawExecutable {
  readonly name: string;
  readonly command: string;
  readonly description: string;
  readonly cellName: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly noShell: boolean;
}

const empty: RawExecutable = {
  ...{ name: "missing", command: "missing", description: "", cellName: "missing" },
  ...{ args: [], env: {}, workingDirectory: "", noShell: false },
};

/** MAX_ARG_STRLEN of the kernel without the final NUL: execve(2). */
const maxArgumentBytes = 131_071;
/** What one frame to the supervisor holds, and well below the kernel's limit for all of them. */
const maxArgumentsBytes = 900_000;
/** Arguments and variables together: bounded, and looked at before each of them is. */
const maxArguments = 32_000;
/** `(uid_t)-1`: setresuid(2) takes it for "leave it", and a process would stay root (fault 74). */
const noId = 4_294_967_295;

/** The executable asked for. @throws Failure `invalid` with all that is wrong, each under `executable.…` */
export function parseExecutable(raw: RawExecutable | undefined): {
  readonly cell: CellName;
  readonly spec: ExecutableSpec;
} {
  const violations = new Violations();
  if (raw === undefined) violations.add("executable", "FIELD_REQUIRED", "must be given");
  const given = raw ?? empty;

  const cell = violations.take(
    "executable.cell_name",
    "CELL_NAME_INVALID",
    parseCellName(given.cellName),
  );
  const name = violations.take("executable.name", "FIELD_INVALID", parseExecutableName(given.name));
  if (given.command === "")
    violations.add("executable.command", "FIELD_REQUIRED", "must not be empty");
  checkText("executable.command", given.command, maxArgumentBytes, violations);
  checkArguments(given, violations);
  checkText("executable.description", given.description, 1024, violations);
  checkText("executable.working_directory", given.workingDirectory, 4095, violations);
  if (given.workingDirectory !== "" && !given.workingDirectory.startsWith("/")) {
    violations.add(
      "executable.working_directory",
      "FIELD_INVALID",
      'must be absolute, beginning with "/"',
    );
  }
  for (const id of ["uid", "gid"] as const) {
    if (given[id] === noId)
      violations.add(`executable.${id}`, "FIELD_INVALID", `must not be ${noId}, which means no id`);
  }
  violations.throwIfAny("start executable");

  const uid = given.uid ?? 0;
  return {
    cell: cell as CellName,
    spec: {
      ...{
        name: name as ExecutableName,
        command: given.command,
        description: given.description,
        args: given.args,
      },
      ...{
        env: new Map(Object.entries(given.env)),
        workingDirectory: given.workingDirectory || "/",
      },
      ...{ uid, gid: given.gid ?? uid, noShell: given.noShell },
    },
  };
}

/** The name of an executable: one segment of the cell name's alphabet. */
export function parseExecutableName(text: string): ExecutableName | Wrong {
  if (text === "") return { wrong: "must not be empty" };
  if (!isSegment(text)) return { wrong: "must be 1–63 letters, digits and inner hyphens" };
  return text as ExecutableName;
}

function checkText(field: string, text: string, maxBytes: number, violations: Violations): void {
  if (text.includes("\0")) violations.add(field, "FIELD_INVALID", "must not hold a NUL");
  if (utf8Length(text) > maxBytes)
    violations.add(field, "FIELD_INVALID", `must be at most ${maxBytes} bytes`);
}

function checkArguments(given: RawExecutable, violations: Violations): void {
  if (given.args.length + Object.keys(given.env).length > maxArguments) {
    const most = `must be at most ${maxArguments} together with the variables of env`;
    violations.add("executable.args", "FIELD_INVALID", most);
    return;
  }
  for (const [index, arg] of given.args.entries()) {
    checkText(`executable.args[${index}]`, arg, maxArgumentBytes, violations);
  }
  checkEnvironment(given.env, violations);
  checkTotal(given, violations);
}

function checkEnvironment(env: Readonly<Record<string, string>>, violations: Violations): void {
  for (const [key, value] of Object.entries(env)) {
    const field = `executable.env[${JSON.stringify(key.slice(0, 80))}]`;
    if (key === "" || key.includes("="))
      violations.add(field, "FIELD_INVALID", 'must have a key that is not empty and without "="');
    checkText(field, `${key}=${value}`, maxArgumentBytes, violations);
  }
}

function checkTotal({ command, args, env }: RawExecutable, violations: Violations): void {
  const texts = [command, ...args, ...Object.entries(env).flat()];
  const bytes = texts.reduce((sum, text) => sum + utf8Length(text) + 8, 0);
  if (bytes > maxArgumentsBytes) {
    violations.add(
      "executable.args",
      "FIELD_INVALID",
      `must be at most ${maxArgumentsBytes} bytes together with command and env`,
    );
  }
}
