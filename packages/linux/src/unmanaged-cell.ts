import { inWords } from "./errno.ts";
import type { SupervisorState } from "./shim/messages.ts";
import {
  type Found,
  Supervisor,
  type SupervisorAddress,
  type SupervisorWatcher,
} from "./shim/supervisor.ts";

/** How to speak with the supervisor of a cell of which no more than its id is known. */
export type SupervisorOf = (id: string) => (watcher: SupervisorWatcher) => SupervisorAddress;

/**
 * What lives in a cell that nobody knows, and how to be rid of it. Nothing in it is ended: it is
 * foreign, or newer than we. Only a supervisor that holds nothing any more is asked to end.
 */
export async function describeUnmanaged(
  supervisorOf: (watcher: SupervisorWatcher) => SupervisorAddress,
): Promise<string> {
  const found = await Supervisor.find(supervisorOf(nobody), () => undefined);
  try {
    return await describe(found);
  } catch (cause) {
    return `its supervisor holds nothing, and does not end: ${inWords(cause)}`;
  } finally {
    if (found.kind !== "gone") found.supervisor.close();
  }
}

async function describe(found: Found): Promise<string> {
  switch (found.kind) {
    case "gone":
      return "no supervisor listens there; remove it when nothing in it is wanted";
    case "silent":
      return `it is unmanaged, and may run: ${found.why}`;
    case "answers":
      return describeLiving(found.supervisor, found.state);
    default:
      return found satisfies never;
  }
}

async function describeLiving(supervisor: Supervisor, state: SupervisorState): Promise<string> {
  const { pid } = state.supervisor;
  if (state.init !== undefined || state.runs.length > 0) {
    return `it is unmanaged, and runs on with ${state.runs.length} executables; to end it, kill its supervisor, process ${pid}, and remove the directory`;
  }
  await supervisor.end(0);
  await supervisor.left();
  return "its supervisor held nothing, and was ended; remove it when nothing in it is wanted";
}

/** What it tells of runs that are not ours is for nobody. */
const nobody: SupervisorWatcher = {
  runChanged: () => undefined,
  reconnected: () => undefined,
  initDied: () => undefined,
  lost: () => undefined,
  silent: () => undefined,
};
