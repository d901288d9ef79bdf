import { spawn } from "node:child_process";
import { styleText } from "node:util";

const bin = `${import.meta.dirname}/../bin`;

/** Where commands run, and what they find in their environment. */
export interface Terminal {
  /** A heading: what comes next, and why one would do it. */
  readonly say: (text: string) => void;
  /** Show a command as one would type it. */
  readonly show: (program: string, args: readonly string[]) => void;
  /** Show a command, run it, show what it prints as it comes; its exit code. */
  readonly run: (program: "aer" | "auraed", args: readonly string[]) => Promise<number>;
  /** A line of result. */
  readonly note: (text: string) => void;
}

export function openTerminal(environment: Readonly<Record<string, string>>): Terminal {
  function show(program: string, args: readonly string[]): void {
    console.log(`${styleText("cyan", "$")} ${program} ${args.map(quoted).join(" ")}`);
  }
  return {
    show,
    say: (text) => console.log(`\n${bold(`# ${text}`)}`),
    note: (text) => console.log(styleText("green", text)),
    async run(program, args) {
      show(program, args);
      const child = spawn(`${bin}/${program}`, args, {
        stdio: ["ignore", "inherit", "inherit"],
        env: { ...process.env, ...environment },
      });
      return new Promise((resolve, reject) => {
        child.once("error", reject);
        child.once("exit", (code) => resolve(code ?? -1));
      });
    },
  };
}

function bold(text: string): string {
  return styleText("bold", text);
}

/** As a shell would need it, for display only. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
