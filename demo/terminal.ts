import { spawn } from "node:child_process";
import { once } from "node:events";
import { styleText } from "node:util";

const bin = `${import.meta.dirname}/../bin`;

/** Where commands run, and what they find in their environment. */
export interface Terminal {
  /** A heading: what comes next, and why one would do it. */
  readonly say: (text: string) => void;
  /** Show a command as one would type it. */
  readonly show: (program: string, args: readonly string[]) => void;
  /** Show a command, run it, show what it prints as it comes; throws when it does not exit as expected. */
  readonly run: (args: readonly string[], expected?: number) => Promise<void>;
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
    async run(args, expected = 0) {
      show("aer", args);
      const child = spawn(`${bin}/aer`, args, {
        stdio: ["ignore", "inherit", "inherit"],
        env: { ...process.env, ...environment },
      });
      const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
      if (code !== expected) {
        throw new Error(`aer ${args.join(" ")} ended with ${code ?? signal}, not ${expected}`);
      }
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
