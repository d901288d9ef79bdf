import { setTimeout as delay } from "node:timers/promises";

const patienceMs = 20_000;
const lookEveryMs = 10;

/** Look until it is so, for what the kernel does and tells nobody of. @returns what was seen last, after 20 s too */
export async function until<T>(look: () => T, isSo: (seen: T) => boolean): Promise<T> {
  const signal = AbortSignal.timeout(patienceMs);
  for (;;) {
    const seen = look();
    if (isSo(seen) || signal.aborted) return seen;
    await delay(lookEveryMs);
  }
}
