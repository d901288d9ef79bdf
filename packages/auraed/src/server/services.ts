import { Health } from "@aurae/api/health";
import { Observe } from "@aurae/api/observe";
import { CellService } from "@aurae/api/runtime";
import type { Cells } from "@aurae/domain/cells";
import type { LogHistory, Logs } from "@aurae/domain/observe";
import { cellService } from "../services/cell-service.ts";
import { healthService, ServingState } from "../services/health-service.ts";
import { observeService } from "../services/observe-service.ts";
import type { Readiness } from "../services/readiness.ts";
import { unimplementedServices } from "../services/unimplemented.ts";
import type { RpcServer } from "./rpc-server.ts";

/** What the services ask. */
export interface Node {
  readonly cells: Cells;
  readonly logs: Logs;
  readonly history: LogHistory;
  readonly readiness: Readiness;
}

/** Offer everything that a node has. @returns what health tells, to be stopped first */
export function addServices(server: RpcServer, node: Node): ServingState {
  const { cells, logs, history, readiness } = node;
  const serving = new ServingState([CellService.typeName, Observe.typeName], readiness);
  server.addService(CellService, cellService(cells));
  server.addService(Observe, observeService(logs, history));
  server.addService(Health, healthService(serving));
  server.addReflection([CellService, Observe, Health, ...unimplementedServices]);
  return serving;
}
