import assert from "node:assert/strict";
import {
  type CellName,
  type CellSpec,
  type Enclosure,
  type ExecutableName,
  type ExecutableSpec,
  type Limits,
  parseCellName,
  parseExecutableName,
  type RunReport,
  type Shared,
} from "@aurae/domain/cells";
import { Gate } from "@aurae/domain/observe";
import type { LinuxHost } from "../linux-host.ts";

const patienceMs = 20_000;

/** A cell and what its host told of it. */
export class WatchedCell {
  readonly name: CellName;
  readonly enclosure: Enclosure;
  /** Why it failed, once it has. */
  why: string | undefined;
  readonly #reports = new Map<number, RunReport>();
  readonly #changed = new Set<Gate>();

  private constructor(name: CellName, enclosure: Enclosure) {
    this.name = name;
    this.enclosure = enclosure;
    enclosure.attach({
      runChanged: (report) => {
        this.#reports.set(report.run, report);
        this.#wake();
      },
      failed: (why) => {
        this.why = why;
        this.#wake();
      },
    });
  }

  static async allocate(
    host: LinuxHost,
    name: string,
    spec: { readonly limits?: Partial<Limits>; readonly shared?: Shared } = {},
    parent?: WatchedCell,
  ): Promise<WatchedCell> {
    const request = { name: cellName(name), spec: cellSpec(spec), parent: parent?.enclosure };
    return new WatchedCell(request.name, await host.enclose(request));
  }

  static watch(name: CellName, enclosure: Enclosure): WatchedCell {
    return new WatchedCell(name, enclosure);
  }

  start(
    run: number,
    command: string,
    more: Partial<ExecutableSpec> = {},
  ): Promise<{ pid: number }> {
    return this.enclosure.start(run, program(command, more));
  }

  /** The last report of a run, when all has been told. */
  async closed(run: number): Promise<RunReport> {
    return this.#until(() => {
      const report = this.#reports.get(run);
      return report?.logIsComplete === true && report.treeIsEmpty ? report : undefined;
    });
  }

  /** The first report of a run that tells its end; of its tree and log it may not be the last. */
  async ended(run: number): Promise<RunReport> {
    return this.#until(() => {
      const report = this.#reports.get(run);
      return report?.end === undefined ? undefined : report;
    });
  }

  failed(): Promise<string> {
    return this.#until(() => this.why);
  }

  async #until<Value>(look: () => Value | undefined): Promise<Value> {
    for (;;) {
      const value = look();
      if (value !== undefined) return value;
      const gate = new Gate();
      this.#changed.add(gate);
      await gate.wait(AbortSignal.timeout(patienceMs)).finally(() => this.#changed.delete(gate));
    }
  }

  #wake(): void {
    for (const gate of this.#changed) gate.open();
  }
}

export function program(command: string, more: Partial<ExecutableSpec> = {}): ExecutableSpec {
  return {
    ...{ name: executableName("main"), command, description: "", args: [], env: new Map() },
    ...{ workingDirectory: "/", uid: 0, gid: 0, noShell: false },
    ...more,
  };
}

export function executableName(text: string): ExecutableName {
  const name = parseExecutableName(text);
  assert.ok(typeof name === "string");
  return name;
}

export function cellName(text: string): CellName {
  const name = parseCellName(text);
  assert.ok(typeof name === "string");
  return name;
}

function cellSpec(spec: { readonly limits?: Partial<Limits>; readonly shared?: Shared }): CellSpec {
  const { limits, shared = new Set() } = spec;
  return { limits: { pidsMax: 64, ...limits }, shared, labels: new Map([["a", "b"]]) };
}
