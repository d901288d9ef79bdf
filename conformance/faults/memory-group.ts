import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { cgroupMountOf } from "../host.ts";

/** A cgroup of one daemon alone, whose memory can be taken away. What it starts has cgroups of its own. */
export class MemoryGroup implements Disposable {
  readonly #path: string;
  readonly #isV2: boolean;

  constructor() {
    const { path, isV2 } = cgroupMountOf("memory");
    this.#path = `${path}/aurae-test-${process.pid}`;
    this.#isV2 = isV2;
    mkdirSync(this.#path);
  }

  /** What a daemon is run through to be in it. */
  get through(): readonly string[] {
    const script = `echo 0 >${this.#path}/cgroup.procs; exec "$@"`;
    return ["sh", "-c", script, "group"];
  }

  /** No page more than are used now. */
  limitToUsed(): void {
    const [used, limit] = this.#isV2
      ? ["memory.current", "memory.max"]
      : ["memory.usage_in_bytes", "memory.limit_in_bytes"];
    // The kernel takes back what it can of files; what is used then cannot be had for less.
    writeFileSync(`${this.#path}/${limit}`, this.#read(used));
  }

  /** How many processes the kernel has killed here. */
  get kills(): number {
    const text = this.#read(this.#isV2 ? "memory.events" : "memory.oom_control");
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1]);
  }

  [Symbol.dispose](): void {
    if (existsSync(this.#path)) rmdirSync(this.#path);
  }

  #read(file: string): string {
    return readFileSync(`${this.#path}/${file}`, "utf8").trim();
  }
}
