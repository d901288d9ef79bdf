import { Failure } from "@aurae/domain/errors";
import { errnoOf, inWords } from "./errno.ts";

/** What of the node is used up, by what the kernel answered. */
const exhausted: Readonly<Record<string, string>> = {
  ENOSPC: "a disk is full, or the cgroup limit of the node is reached",
  EDQUOT: "a quota of disk is used up",
  EMFILE: "the daemon has no descriptor left (RLIMIT_NOFILE)",
  ENFILE: "the node has no open file left (fs.file-max)",
  ENOMEM: "the node has no memory left",
  EAGAIN: "the node cannot have more cgroups (cgroup.max.descendants)",
};

/** The same for inotify, which has limits of its own: inotify_add_watch(2), inotify_init(2). */
const exhaustedByWatching: Readonly<Record<string, string>> = {
  ...exhausted,
  ENOSPC: "the user of the daemon has no inotify watch left (fs.inotify.max_user_watches)",
  EMFILE:
    "the daemon has no inotify instance or descriptor left (fs.inotify.max_user_instances, RLIMIT_NOFILE)",
};

/** An error of the system as the domain knows errors. A failure stays what it is. */
export function toHostFailure(what: string, cause: unknown): Failure {
  return toFailure(what, cause, exhausted);
}

/** The same when a file could not be watched. */
export function toWatchFailure(what: string, cause: unknown): Failure {
  return toFailure(what, cause, exhaustedByWatching);
}

function toFailure(
  what: string,
  cause: unknown,
  limits: Readonly<Record<string, string>>,
): Failure {
  if (cause instanceof Failure) return cause;
  const limit = limits[errnoOf(cause) ?? ""];
  const message = `${what}: ${limit === undefined ? "" : `${limit}: `}${inWords(cause)}`;
  return limit === undefined
    ? new Failure("host", "HOST_FAILED", message, { cause })
    : new Failure("exhausted", "NODE_LIMIT_REACHED", message, { cause });
}

/**
 * What went wrong first: it is what the caller has to know. Of what failed while that was undone, and
 * so may have been left behind, the log is told.
 *
 * @param what what was being done: `the allocation of cell "web"`
 */
export function firstFailure(
  cause: unknown,
  what: string,
  warn: (message: string) => void,
): unknown {
  const [first, ...later] = inOrder(cause);
  for (const one of later) warn(`Cannot undo ${what}: ${inWords(one)}`);
  return first;
}

function inOrder(cause: unknown): readonly unknown[] {
  if (!(cause instanceof SuppressedError)) return [cause];
  return [...inOrder(cause.suppressed), ...inOrder(cause.error)];
}
