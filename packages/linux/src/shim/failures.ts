import { Failure, type FailureKind, type FailureReason } from "@aurae/domain/errors";
import { errnoInWords, errnoName } from "../errno.ts";
import type { Failed } from "./messages.ts";

type Meaning = readonly [FailureKind, FailureReason, why?: string];

/**
 * What a step that failed means to the caller, by step and errno; "*" is any other errno. Whoever is
 * not here is the host's fault. Seen on Linux 6.18, and in execve(2), clone3(2) and setns(2).
 */
const meanings: Readonly<Record<string, Readonly<Record<string, Meaning>>>> = {
  exec: {
    ENOENT: [
      "wrong-state",
      "COMMAND_NOT_FOUND",
      "there is no such command, or no such interpreter",
    ],
    ENOTDIR: ["wrong-state", "COMMAND_NOT_FOUND", "a part of its path is no directory"],
    EACCES: ["wrong-state", "COMMAND_NOT_EXECUTABLE", "it may not be executed"],
    EPERM: ["wrong-state", "COMMAND_NOT_EXECUTABLE", "it may not be executed"],
    ENOEXEC: ["wrong-state", "COMMAND_NOT_EXECUTABLE", "it is no program of this machine"],
    ELIBBAD: ["wrong-state", "COMMAND_NOT_EXECUTABLE", "its interpreter is no program"],
    EINVAL: ["wrong-state", "COMMAND_NOT_EXECUTABLE", "it has more than one interpreter"],
    EISDIR: ["wrong-state", "COMMAND_NOT_EXECUTABLE", "its interpreter is a directory"],
    ETXTBSY: ["wrong-state", "COMMAND_NOT_EXECUTABLE", "it is open for writing"],
    ELOOP: ["wrong-state", "COMMAND_NOT_EXECUTABLE", "its path goes through too many links"],
    ENAMETOOLONG: ["wrong-state", "COMMAND_NOT_FOUND", "its path is too long"],
    E2BIG: ["invalid", "ARGUMENTS_TOO_LONG", "arguments and environment are too long together"],
  },
  chdir: { "*": ["wrong-state", "WORKDIR_UNUSABLE"] },
  identity: {
    EINVAL: ["invalid", "FIELD_INVALID", "uid or gid is not mapped in the cell"],
    EAGAIN: ["exhausted", "NODE_LIMIT_REACHED", "the user has reached its limit of processes"],
  },
  clone: {
    EACCES: ["wrong-state", "SHIM_UNUSABLE", "aurae-stage may not be executed"],
    ENOEXEC: ["wrong-state", "SHIM_UNUSABLE", "aurae-stage is no program of this machine"],
    EAGAIN: [
      "exhausted",
      "CELL_LIMIT_REACHED",
      "the cell has reached its limit of processes (pids)",
    ],
    // clone3 into a PID namespace whose init is dead.
    ENOMEM: ["exhausted", "CELL_LIMIT_REACHED", "no memory is left for the cell, or its init died"],
    ENOSPC: [
      "exhausted",
      "CELL_LIMIT_REACHED",
      "namespaces are nested too deep, or there are too many",
    ],
  },
  enter: { ESRCH: ["wrong-state", "CELL_FAILED", "the init of the cell is dead"] },
  parent: { ESRCH: ["wrong-state", "CELL_FAILED", "the init of the parent is dead"] },
  ended: { "*": ["wrong-state", "CELL_STATE", "the cell is ending"] },
  slots: { "*": ["exhausted", "CELL_LIMIT_REACHED", "512 runs of the cell are not closed yet"] },
  killed: {
    "*": [
      "wrong-state",
      "CELL_FAILED",
      "it was killed before it began; its limits may be too small, or aurae-stage is not ours",
    ],
  },
  launch: {
    ENOENT: ["wrong-state", "SHIM_UNUSABLE", "aurae-supervisor is not there"],
    EACCES: ["wrong-state", "SHIM_UNUSABLE", "aurae-supervisor may not be executed"],
    ENOEXEC: ["wrong-state", "SHIM_UNUSABLE", "aurae-supervisor is no program of this machine"],
  },
  cgroup: { ENOENT: ["wrong-state", "CELL_FAILED", "its cgroups were removed from outside"] },
};

/** Limits that the whole node has; which it is, the errno tells. */
const exhaustion: Readonly<Record<string, string>> = {
  EAGAIN: "the node has no process left (pid_max, threads-max or RLIMIT_NPROC)",
  ENOMEM: "the node has no memory left",
  EMFILE: "the supervisor has no descriptor left (RLIMIT_NOFILE)",
  ENFILE: "the node has no open file left (fs.file-max)",
  ENOSPC: "a disk is full, or the node has no namespace left (user.max_*_namespaces)",
  EDQUOT: "a quota of disk is used up",
  EUSERS: "the node has no namespace left (user.max_*_namespaces)",
};

/** @param what the beginning of the message: `Cannot start executable "server" in cell "web"` */
export function toFailure(what: string, { step, errno }: Failed): Failure {
  const name = errnoName(errno);
  const [kind, reason, why] = meaningOf(step, name);
  const metadata = { step, errno: name };
  const words = errno === 0 ? "" : errnoInWords(errno);
  const detail = why === undefined ? `${step}: ${words}` : words === "" ? why : `${why}: ${words}`;
  return new Failure(kind, reason, `${what}: ${detail}`, { metadata });
}

function meaningOf(step: string, errno: string): Meaning {
  const known = meanings[step]?.[errno] ?? meanings[step]?.["*"];
  if (known !== undefined) return known;
  const limit = exhaustion[errno];
  if (limit !== undefined) return ["exhausted", "NODE_LIMIT_REACHED", limit];
  return ["host", "HOST_FAILED"];
}
