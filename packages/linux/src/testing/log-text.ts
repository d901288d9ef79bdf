import { Gate, type LogEntry, type LoggedRun } from "@aurae/domain/observe";
import type { LinuxSetting } from "./linux-setting.ts";
import { executableName, type WatchedCell } from "./watched-cell.ts";

/** The lines of a run of "main", of both channels. */
export async function textOf(
  setting: LinuxSetting,
  { enclosure }: WatchedCell,
  run: number,
): Promise<readonly (string | undefined)[]> {
  const key = { cellId: enclosure.id, executable: executableName("main"), run };
  const query = { follow: false, sinceNs: 0n, tail: undefined };
  const channels = new Set(["stdout", "stderr"] as const);
  const { signal } = new AbortController();
  const entries = setting.logs.read(key, { ...query, channels }, writtenBy(Gate.opened()), signal);
  return (await Array.fromAsync(entries)).map(textOfEntry);
}

/** The first line of a run of "main", as soon as it is written: it says that it is ready. */
export async function firstLine(
  setting: LinuxSetting,
  cell: WatchedCell,
  run: number,
): Promise<string | undefined> {
  for await (const line of linesOf(setting, cell, run)) return line;
  return undefined;
}

/** The lines of a run of "main" on stdout, as they are written: for a loop that ends by itself. */
export async function* linesOf(
  setting: LinuxSetting,
  { enclosure }: WatchedCell,
  run: number,
): AsyncGenerator<string | undefined> {
  const key = { cellId: enclosure.id, executable: executableName("main"), run };
  const query = { follow: true, sinceNs: 0n, tail: undefined };
  const channels = new Set(["stdout"] as const);
  const signal = AbortSignal.timeout(20_000);
  const logged = writtenBy(new Gate());
  for await (const entry of setting.logs.read(key, { ...query, channels }, logged, signal)) {
    yield textOfEntry(entry);
  }
}

/** A run that has dropped nothing. */
export function writtenBy(logComplete: Gate): LoggedRun {
  return { logComplete, linesDropped: 0n };
}

export function textOfEntry(entry: LogEntry): string | undefined {
  return entry.kind === "line" ? Buffer.from(entry.bytes).toString() : undefined;
}
