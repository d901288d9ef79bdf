import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeSync,
} from "node:fs";

/**
 * The few things one does to a cgroup file system. Synchronous: each is microseconds, and a thread
 * pool would cost more. They throw what node:fs throws.
 */
export interface CgroupFiles {
  exists(path: string): boolean;
  read(path: string): string;
  write(path: string, value: string): void;
  makeDirectory(path: string): void;
  removeDirectory(path: string): void;
  directoriesIn(path: string): readonly string[];
}

/** The kernel's own. */
export const kernelFiles: CgroupFiles = {
  exists: existsSync,
  read: (path) => readFileSync(path, "utf8"),
  write: writeWhole,
  makeDirectory: (path) => {
    mkdirSync(path, 0o755);
  },
  removeDirectory: rmdirSync,
  directoriesIn: (path) =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name),
};

/** Never makes a file: one that is missing is a controller that is missing, not ours to invent. */
function writeWhole(path: string, value: string): void {
  const descriptor = openSync(path, constants.O_WRONLY);
  try {
    writeSync(descriptor, value);
  } finally {
    closeSync(descriptor);
  }
}
