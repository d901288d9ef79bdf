import { constants } from "node:os";
import { type ExecutableSpec, type StartedRun, toArgv, toEnvironment } from "@aurae/domain/cells";
import type { CellDirectory } from "./cell-directory.ts";
import { MalformedBytes } from "./shim/bytes.ts";
import { ChannelClosed } from "./shim/channel.ts";
import type { RunRecord } from "./shim/record.ts";
import type { Supervisor } from "./shim/supervisor.ts";

/** Have a supervisor start a run. When its answer is lost, the record tells, or there is no run. */
export async function askToStart(
  supervisor: Supervisor,
  directory: CellDirectory,
  run: number,
  spec: ExecutableSpec,
): Promise<StartedRun> {
  try {
    return await supervisor.start({
      run,
      executable: spec.name,
      argv: toArgv(spec),
      environment: toEnvironment(spec),
      workingDirectory: spec.workingDirectory,
      uid: spec.uid,
      gid: spec.gid,
    });
  } catch (cause) {
    if (!(cause instanceof ChannelClosed)) throw cause;
    // The answer was lost with the connection. A record is written when exec has succeeded.
    await supervisor.settle();
    const record = readIfWhole(directory, run);
    if (record === undefined) {
      // It may be on its way yet; after this it is not.
      await supervisor.stop(run, constants.signals.SIGKILL, 0).catch(() => undefined);
      throw cause;
    }
    return { pid: record.pid, startedAtNs: record.startedAtNs };
  }
}

/** A supervisor that dies while it writes the record leaves a part of it: that run is not told of. */
function readIfWhole(directory: CellDirectory, run: number): RunRecord | undefined {
  try {
    return directory.readRecord(run);
  } catch (cause) {
    if (cause instanceof MalformedBytes) return undefined;
    throw cause;
  }
}
