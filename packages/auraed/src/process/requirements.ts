import { Refusal } from "./refusal.ts";

const leastNode = 24;

/** @throws Refusal when this process cannot be the daemon, whatever it is told */
export function requireMachine(): void {
  const { node } = process.versions;
  if (Number.parseInt(node, 10) < leastNode) {
    throw new Refusal(`Cannot run on Node ${node}: it must be ${leastNode} or newer (bin/auraed)`);
  }
  if (process.platform !== "linux")
    throw new Refusal(`Cannot run on ${process.platform}: cells need Linux`);
  if (process.geteuid?.() !== 0)
    throw new Refusal("Cannot make cells: only root may (start auraed as root)");
}
