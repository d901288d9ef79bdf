import type { CellService } from "@aurae/api/runtime";
import { CellHandle, CellRef } from "./cell.ts";
import { type CellLimits, type Shareable, toIsolation, toLimits } from "./limits.ts";
import type { Logs } from "./logs.ts";
import { type ChangeOptions, type RpcClient, toRequestId } from "./rpc.ts";

/** A cell to allocate. */
export interface CellSpec {
  /** 1–8 segments joined by `/`: a child after its parents. */
  readonly name: string;
  readonly limits?: CellLimits | undefined;
  /** What it shares with its parent. Absent: nothing. */
  readonly share?: readonly Shareable[] | undefined;
  /** For the caller's own use, at most 64. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** The cells of a node. */
export class Cells {
  readonly #rpc: RpcClient<typeof CellService>;
  readonly #logs: Logs;

  constructor(rpc: RpcClient<typeof CellService>, logs: Logs) {
    this.#rpc = rpc;
    this.#logs = logs;
  }

  /** Make a cell and reserve its resources. Whoever allocates, frees: `await using cell = …`. */
  async allocate(spec: CellSpec, options: ChangeOptions = {}): Promise<CellHandle> {
    const { name, limits = {}, share = [], labels = {} } = spec;
    const cell = {
      name,
      cpuShares: BigInt(limits.cpuShares ?? 0),
      limits: toLimits(limits),
      isolation: toIsolation(share),
      labels,
    };
    const { cellName, cgroupV2 } = await this.#rpc.allocate(
      { cell, ...toRequestId(options) },
      options,
    );
    return new CellHandle(cellName, cgroupV2, this.#rpc, this.#logs);
  }

  /** A cell that is there already, by its name. Nothing is asked until it is used. */
  ref(name: string): CellRef {
    return new CellRef(name, this.#rpc, this.#logs);
  }
}
