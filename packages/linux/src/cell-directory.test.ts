import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CellDirectory } from "./cell-directory.ts";
import { cellName } from "./testing/watched-cell.ts";

/** The directory of a cell that is being freed, with a run that has ended. */
function make(path: string): CellDirectory {
  const directory = new CellDirectory(path, 10);
  const spec = { limits: { pidsMax: 3 }, shared: new Set<never>(), labels: new Map() };
  directory.make({ name: cellName("web"), spec, bootId: "this" });
  directory.commit();
  mkdirSync(join(path, "runs"));
  for (const file of ["1.json", "runs/1", "s.sock"]) writeFileSync(join(path, file), "");
  directory.markEnding(0);
  return directory;
}

/** Have another process remove it, which the kernel kills instead of its nth removal. @returns whether it did */
function removeAndDie(path: string, nth: number): boolean {
  const script = `
    import { CellDirectory } from ${JSON.stringify(join(import.meta.dirname, "cell-directory.ts"))};
    new CellDirectory(${JSON.stringify(path)}, 10).remove();`;
  const calls = "unlink,unlinkat,rmdir";
  const flags = ["-qq", "-e", `trace=${calls}`, "-e", `inject=${calls}:signal=SIGKILL:when=${nth}`];
  const node = [process.execPath, "--input-type=module", "-e", script];
  const { signal, status, stderr } = spawnSync("strace", [...flags, ...node], { encoding: "utf8" });
  assert.ok(signal === "SIGKILL" || status === 0, stderr);
  return signal === "SIGKILL";
}

test("remove() that is cut short leaves a cell that is being freed, or none (fault 4)", () => {
  const below = mkdtempSync("/tmp/aurae-cell-");
  const path = join(below, "0123456789abcdef");
  try {
    for (let nth = 1; ; nth++) {
      const directory = make(path);
      if (!removeAndDie(path, nth)) {
        assert.ok(nth > 3, "it was cut short more than once");
        assert.equal(existsSync(path), false);
        return;
      }
      const isCell = existsSync(join(path, "cell.json"));
      assert.ok(isCell ? directory.isEnding : directory.isUnborn, `removal ${nth}`);
      rmSync(path, { recursive: true });
    }
  } finally {
    rmSync(below, { recursive: true });
  }
});
