/**
 * Do it now and then every so often, one at a time, until disposed. What fails is told, and tried again.
 * Without a time it is never done.
 */
export function repeat(
  everyMs: number | undefined,
  work: () => Promise<void>,
  onProblem: (cause: unknown) => void,
): Disposable {
  if (everyMs === undefined) return { [Symbol.dispose]: () => undefined };
  let isBusy = false;
  async function attempt(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    try {
      await work();
    } catch (cause) {
      onProblem(cause);
    } finally {
      isBusy = false;
    }
  }
  const timer = setInterval(() => void attempt(), everyMs).unref();
  void attempt();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
