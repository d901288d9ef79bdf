import { spawnSync } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "@aurae/domain/errors";
import { toHostFailure } from "./host-failure.ts";
import { hasOwnFile } from "./own-file.ts";

/** A runtime directory that is ours alone, until the lock is disposed or the process ends. */
export interface Lock extends Disposable {
  readonly path: string;
}

/**
 * Lock a runtime directory. The lock is on the open file, so the kernel gives it back whatever way
 * we end; no child inherits the descriptor (Node opens with O_CLOEXEC).
 *
 * @throws Failure `wrong-state` when another daemon holds it
 */
export function openLock(runtimeDir: string): Lock {
  const path = join(runtimeDir, "lock");
  const { O_CREAT, O_RDWR, O_NOFOLLOW } = constants;
  const descriptor = tryToOpen(path, O_CREAT | O_RDWR | O_NOFOLLOW);
  const refusal = tryToLock(descriptor, runtimeDir);
  if (refusal !== undefined) {
    closeSync(descriptor);
    throw refusal;
  }
  return { path, [Symbol.dispose]: () => closeSync(descriptor) };
}

function tryToOpen(path: string, flags: number): number {
  try {
    hasOwnFile(path);
    return openSync(path, flags, 0o600);
  } catch (cause) {
    throw toHostFailure(`Cannot open ${path}`, cause);
  }
}

/** Node has no flock(2): util-linux takes the lock on our open file and leaves it to us. */
function tryToLock(descriptor: number, runtimeDir: string): Failure | undefined {
  const { status, error, stderr } = spawnSync("flock", ["--exclusive", "--nonblock", "3"], {
    stdio: ["ignore", "ignore", "pipe", descriptor],
    encoding: "utf8",
  });
  if (status === 0) return undefined;
  const cannot = `Cannot use the runtime directory ${runtimeDir}`;
  if (status === 1 && stderr === "") {
    return new Failure("wrong-state", "HOST_FAILED", `${cannot}: another daemon uses it`);
  }
  const why = error === undefined ? stderr.trim() : `flock of util-linux does not run`;
  return new Failure("host", "HOST_FAILED", `${cannot}: ${why}`, { cause: error });
}
