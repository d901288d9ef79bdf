import type { Socket } from "node:net";

/** A supervisor that was given no cell leaves when we do; it is waited for, so that nothing is left. */
export async function hangUp(connecting: Promise<Socket>): Promise<void> {
  const socket = await connecting.catch(() => undefined);
  if (socket === undefined || socket.destroyed) return;
  const left = new Promise((resolve) => socket.once("close", resolve));
  socket.resume();
  socket.on("error", () => undefined);
  socket.end();
  await left;
}
