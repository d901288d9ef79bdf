import { setTimeout as delay } from "node:timers/promises";

const patienceMs = 20_000;
const lookEveryMs = 10;

/** Wait until something is so that the kernel does and tells nobody of. @throws Error after 20 s */
export async function until(isSo: () => boolean): Promise<void> {
  const signal = AbortSignal.timeout(patienceMs);
  while (!isSo()) {
    if (signal.aborted) throw new Error(`It did not come to be: ${String(isSo)}`);
    await delay(lookEveryMs);
  }
}
