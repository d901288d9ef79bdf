import type { CellSpec, Shareable } from "@aurae/client";
import { type Command, InvalidArgumentError } from "commander";
import { parsePair, parseSizeFlag, parseWhole } from "./flags.ts";

/** What {@link addLimitFlags} reads. */
export interface LimitFlags {
  readonly cpus?: number;
  readonly cpuWeight?: number;
  readonly cpuShares?: number;
  readonly cpuset?: string;
  readonly cpusetMems?: string;
  readonly memory?: string;
  readonly memoryHigh?: string;
  readonly memoryLow?: string;
  readonly memoryMin?: string;
  readonly memorySwap?: string;
  readonly pids?: number;
  readonly share?: readonly Shareable[];
  readonly label?: Readonly<Record<string, string>>;
}

/** The flags that say what a cell may use and share. */
export function addLimitFlags(command: Command): Command {
  return command
    .optionsGroup("Limits (K, M, G are binary):")
    .option("--memory <size>", "most memory; above it the kernel kills", parseSizeFlag)
    .option("--memory-high <size>", "above it the cell is slowed and reclaimed", parseSizeFlag)
    .option("--memory-low <size>", "below it the cell is reclaimed last", parseSizeFlag)
    .option("--memory-min <size>", "below it the cell is never reclaimed", parseSizeFlag)
    .option("--memory-swap <size>", "most swap beside --memory; 0 is none", parseSizeFlag)
    .option("--cpus <number>", "most CPU time: 1.5 is one and a half CPUs", parseCpus)
    .option("--cpu-weight <number>", "CPU time beside others, 1–10000 (100)", parseWhole(1, 10_000))
    .option("--cpu-shares <number>", "the same in the unit of cgroup v1", parseWhole(2, 262_144))
    .option("--cpuset <list>", "CPUs to run on, such as 0-2,4")
    .option("--cpuset-mems <list>", "memory nodes, in the same form")
    .option("--pids <number>", "most processes and threads (1024)", parseWhole(3, 4_194_304))
    .optionsGroup("Cell:")
    .option("--share <list>", `share with the parent: ${shareables.join(",")}`, parseShare)
    .option("--label <key=value>", "for your own use; again for more", parsePair(noValue));
}

/** The flags as the client takes them; the client counts what they say. */
export function readCellSpec(name: string, flags: LimitFlags): CellSpec {
  const { cpus, cpuWeight, cpuShares, cpuset, cpusetMems, pids, share, label } = flags;
  const memory = {
    max: toSize(flags.memory),
    high: toSize(flags.memoryHigh),
    low: toSize(flags.memoryLow),
    min: toSize(flags.memoryMin),
    swap: toSize(flags.memorySwap),
  };
  const limits = { cpus, cpuWeight, cpuShares, cpuset, cpusetMems, pids, memory };
  return { name, limits, share, labels: label };
}

const shareables = [
  "mount",
  "uts",
  "ipc",
  "pid",
  "network",
  "cgroup",
] as const satisfies Shareable[];

function toSize(text: string | undefined): `${number}M` | undefined {
  // parseSizeFlag has checked it; the client refuses what is left to refuse.
  return text as `${number}M` | undefined;
}

function parseCpus(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  // The kernel takes at least 1000 µs of each 100 ms.
  if (!(value >= 0.01)) throw new InvalidArgumentError("It must be a number of CPUs, such as 0.5.");
  return value;
}

function parseShare(text: string, before: readonly Shareable[] = []): readonly Shareable[] {
  const names = text.split(",").map((name) => {
    const known = shareables.find((shareable) => shareable === name);
    if (known === undefined)
      throw new InvalidArgumentError(`It must be of ${shareables.join(",")}.`);
    return known;
  });
  return [...before, ...names];
}

function noValue(): undefined {
  return undefined;
}
