/**
 * Loaded into a daemon by NODE_OPTIONS, so that a test can have it fail from the inside: an exception
 * that nobody catches, and an event loop that never turns again.
 */
process.on("SIGUSR2", () => {
  throw new Error("planted");
});

process.on("SIGWINCH", () => {
  for (;;);
});
