import { chmodSync, lstatSync, mkdirSync, renameSync, type Stats, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { errnoOf, inWords } from "../process/in-words.ts";
import { Refusal } from "../process/refusal.ts";
import { octal } from "../process/trusted-file.ts";

/** `sun_path` of unix(7) without its final NUL. */
const maxPathBytes = 107;

/** A path for a Unix socket that may be taken, and the name to bind before it is. */
export interface SocketPlace {
  readonly path: string;
  /** In the same directory. Nobody is connected to a socket before its mode is right. */
  readonly temporaryPath: string;
}

/**
 * Look whether a socket may be put at the path. What is there already is replaced only when it is a
 * socket that nobody listens on (connect(2) says ECONNREFUSED); the caller holds the lock of the
 * daemon, so that nobody else comes to the same conclusion (faults 81 and 82).
 *
 * @throws Refusal when the path is too long, unsafe, or taken
 */
export async function prepareSocketPlace(path: string): Promise<SocketPlace> {
  const temporaryPath = join(dirname(path), `.${process.pid}.sock`);
  for (const each of [path, temporaryPath]) {
    if (Buffer.byteLength(each) > maxPathBytes)
      throw refusal(path, `its path is longer than ${maxPathBytes} bytes`);
  }
  prepareDirectory(path);
  const found = lstat(path);
  if (found !== undefined) await refuseUnlessStale(path, found);
  removeStale(temporaryPath);
  // Its inode may be the last that this one can have (fault 24).
  removeStale(path);
  return { path, temporaryPath };
}

/** Show the bound socket under its name, for owner and group. @returns what takes it away again */
export function publishSocket({ path, temporaryPath }: SocketPlace): () => void {
  chmodSync(temporaryPath, 0o660);
  renameSync(temporaryPath, path);
  const ours = lstat(path);
  return () => {
    // Only if it is still ours: somebody may have put another one there.
    const now = lstat(path);
    if (now !== undefined && now.ino === ours?.ino && now.dev === ours.dev) unlinkSync(path);
  };
}

function prepareDirectory(path: string): void {
  const directory = dirname(path);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o750 });
  } catch (cause) {
    throw refusal(path, `its directory cannot be made: ${inWords(cause)}`, cause);
  }
  const { mode, uid } = lstatSync(directory);
  // Its owner could put another socket in the place of ours, with the sticky bit or without.
  if (uid !== 0 && uid !== process.geteuid?.())
    throw refusal(path, `its directory belongs to another user (${uid})`);
  // The sticky bit keeps others from replacing what is ours.
  if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0)
    throw refusal(path, `others may write in its directory, whose mode is ${octal(mode)}`);
}

async function refuseUnlessStale(path: string, found: Stats): Promise<void> {
  if (found.isSymbolicLink()) throw refusal(path, "there is a symbolic link");
  if (found.isDirectory()) throw refusal(path, "there is a directory");
  if (!found.isSocket()) throw refusal(path, "there is a file that is no socket");
  const answer = await tryToConnect(path);
  if (answer === undefined) throw refusal(path, "another program listens there");
  if (errnoOf(answer) !== "ECONNREFUSED") {
    throw refusal(path, `what is there does not answer: ${inWords(answer)}`, answer);
  }
}

/** The error of connect(2), or undefined when somebody listens. */
async function tryToConnect(path: string): Promise<Error | undefined> {
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  const socket = connect({ path });
  socket.once("connect", () => resolve(undefined));
  socket.once("error", resolve);
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

/** What an earlier daemon has left, under the name of all or, killed in between, under ours. */
function removeStale(path: string): void {
  if (lstat(path)?.isSocket()) unlinkSync(path);
}

function lstat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function refusal(path: string, why: string, cause?: unknown): Refusal {
  return new Refusal(`Cannot listen on ${path}: ${why}`, { cause });
}
