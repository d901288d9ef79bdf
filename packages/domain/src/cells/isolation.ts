/** What a cell can share with its parent, a cell at the root with the host. */
export const namespaceKinds = ["mount", "uts", "ipc", "pid", "network", "cgroup"] as const;

export type NamespaceKind = (typeof namespaceKinds)[number];

/** The namespaces that a cell shares; an empty set isolates it wholly. */
export type Shared = ReadonlySet<NamespaceKind>;
