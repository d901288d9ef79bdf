import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Daemon } from "../daemon.ts";
import { until } from "./kernel-says.ts";

/** A PID namespace for daemons, in which a test says which pid is given next: on the host it cannot. */
export class PidSpace implements AsyncDisposable {
  readonly #holder: number;
  readonly #ended: Promise<unknown>;
  /** Its first process, which lives until the end and reaps: by a signal that it ignores. */
  readonly #init: number;

  private constructor(holder: number, ended: Promise<unknown>, init: number) {
    this.#holder = holder;
    this.#ended = ended;
    this.#init = init;
  }

  static async open(): Promise<PidSpace> {
    const first = ["env", "--ignore-signal=CHLD", "sleep", "infinity"];
    const options = ["--pid", "--fork", "--kill-child", "--mount", "--mount-proc"];
    const holder = spawn("unshare", [...options, ...first], { stdio: "ignore" });
    const ended = once(holder, "exit");
    const pid = holder.pid ?? 0;
    const init = await until(
      () => childOf(pid),
      (child) => child !== undefined && commandOf(child) === "sleep",
    );
    return new PidSpace(pid, ended, init ?? 0);
  }

  /** For `through`. The daemon is then the child of what is started. */
  get through(): readonly string[] {
    return ["nsenter", "--target", `${this.#init}`, "--pid", "--mount"];
  }

  /** The pid that is given next is one more, unless it is in use. */
  setLastPid(pid: number): void {
    const [command = "", ...rest] = this.through;
    const script = `echo ${pid} > /proc/sys/kernel/ns_last_pid`;
    execFileSync(command, [...rest, "sh", "-c", script]);
  }

  /** End a daemon in it, which a signal to its parent would not. */
  async end(daemon: Daemon, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = childOf(daemon.pid);
    if (child !== undefined) process.kill(child, signal);
    await daemon.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.kill(this.#holder, "SIGKILL");
    await this.#ended;
  }
}

function childOf(pid: number): number | undefined {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
  return child === undefined || child === "" ? undefined : Number(child);
}

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
}
