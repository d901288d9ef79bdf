import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";

const nobody = 65_534;

/** What may be put in the place of a file that is ours; `original` is where that is meanwhile. */
export const plants: Readonly<Record<string, (path: string, original: string) => void>> = {
  "a symbolic link": (path, original) => symlinkSync(original, path),
  "a hard link": (path, original) => linkSync(original, path),
  "a named pipe": (path) => execFileSync("mkfifo", [path]),
  "a directory": (path) => mkdirSync(path),
  "a file of nobody": (path, original) => {
    cpSync(original, path);
    chownSync(path, nobody, nobody);
  },
  "a file that all may write": (path, original) => {
    cpSync(original, path);
    chmodSync(path, 0o666);
  },
};

/** The same for a directory. */
export const directoryPlants: typeof plants = {
  "a symbolic link": (path, original) => symlinkSync(original, path),
  "a named pipe": (path) => execFileSync("mkfifo", [path]),
  "a directory of nobody": (path, original) => {
    cpSync(original, path, { recursive: true, filter: (from) => !from.endsWith(".sock") });
    chownSync(path, nobody, nobody);
  },
  "a directory that all may write": (path, original) => {
    cpSync(original, path, { recursive: true, filter: (from) => !from.endsWith(".sock") });
    chmodSync(path, 0o777);
  },
};

/** Put something in the place of a file of ours, until it is disposed. */
export function plant(path: string, put: (path: string, original: string) => void): Disposable {
  const original = `${path}.original`;
  renameSync(path, original);
  put(path, original);
  return {
    [Symbol.dispose]: () => {
      rmSync(path, { recursive: true, force: true });
      renameSync(original, path);
    },
  };
}
