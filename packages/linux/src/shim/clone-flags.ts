import type { NamespaceKind } from "@aurae/domain/cells";

/** Namespaces that are made, as clone3(2) takes them. */
export function toCloneFlags(kinds: readonly NamespaceKind[]): number {
  return kinds.reduce((flags, kind) => flags | cloneFlags[kind], 0);
}

/** CLONE_NEW* of linux/sched.h. */
const cloneFlags: Readonly<Record<NamespaceKind, number>> = {
  mount: 0x0002_0000,
  cgroup: 0x0200_0000,
  uts: 0x0400_0000,
  ipc: 0x0800_0000,
  pid: 0x2000_0000,
  network: 0x4000_0000,
};
