import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  writeSync,
} from "node:fs";

/**
 * The few things one does to a cgroup file system. Synchronous: each is microseconds, and a thread
 * pool would cost more. They throw what node:fs throws. No file is ever made: one that is missing is
 * a controller that is missing, not ours to invent.
 */
export interface CgroupFiles {
  exists(path: string): boolean;
  read(path: string): string;
  write(path: string, value: string): void;
  /** Write, and tell what is read afterwards. */
  writeAndRead(path: string, value: string): string;
  makeDirectory(path: string): void;
  removeDirectory(path: string): void;
  directoriesIn(path: string): readonly string[];
}

/** The kernel's own. */
export const kernelFiles: CgroupFiles = {
  exists: existsSync,
  read: (path) => readFileSync(path, "utf8"),
  write: (path, value) => {
    const descriptor = openSync(path, constants.O_WRONLY);
    try {
      writeSync(descriptor, value);
    } finally {
      closeSync(descriptor);
    }
  },
  writeAndRead,
  makeDirectory: (path) => {
    mkdirSync(path, 0o755);
  },
  removeDirectory: rmdirSync,
  directoriesIn: (path) =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name),
};

/** More than a list of 8,192 processors in its shortest form. */
const maxValueBytes = 32_768;

/** Through one descriptor: opening costs more than writing (20 µs). */
function writeAndRead(path: string, value: string): string {
  const descriptor = openSync(path, constants.O_RDWR);
  try {
    writeSync(descriptor, value);
    const bytes = Buffer.allocUnsafe(maxValueBytes);
    return bytes.toString("utf8", 0, readSync(descriptor, bytes, 0, maxValueBytes, 0));
  } finally {
    closeSync(descriptor);
  }
}
