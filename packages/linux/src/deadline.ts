/**
 * Wait for something, but not for ever: whether it was done in time. When it was not it goes on, and
 * what it throws then nobody hears.
 */
export async function isDoneWithin(timeoutMs: number, work: Promise<unknown>): Promise<boolean> {
  const expired = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => expired.resolve(false), timeoutMs);
  try {
    return await Promise.race([work.then(() => true), expired.promise]);
  } finally {
    clearTimeout(timer);
  }
}
