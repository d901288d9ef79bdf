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

/** An error of the system as the domain knows errors. A failure stays what it is. */
export function toHostFailure(what: string, cause: unknown): Failure {
  if (cause instanceof Failure) return cause;
  const limit = exhausted[errnoOf(cause) ?? ""];
  const message = `${what}: ${limit === undefined ? "" : `${limit}: `}${inWords(cause)}`;
  return limit === undefined
    ? new Failure("host", "HOST_FAILED", message, { cause })
    : new Failure("exhausted", "NODE_LIMIT_REACHED", message, { cause });
}
