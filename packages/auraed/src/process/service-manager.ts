import { spawn } from "node:child_process";
import { once } from "node:events";

/** What is told to systemd: sd_notify(3). */
export type Notification =
  | { readonly kind: "ready"; readonly status: string }
  | { readonly kind: "alive" }
  | { readonly kind: "reloading" }
  | { readonly kind: "stopping"; readonly status: string };

const notifyTimeoutMs = 3000;

/**
 * Tells systemd how the daemon is, if that has started it (NOTIFY_SOCKET). Node has no datagram
 * sockets of the Unix domain, so systemd-notify(1) speaks for us, and the unit needs NotifyAccess=all.
 */
export class ServiceManager {
  readonly #socket: string | undefined;
  readonly #path: string | undefined;
  /** How often the watchdog has to hear that we are alive; undefined when there is none. */
  readonly aliveEveryMs: number | undefined;
  readonly #onProblem: (cause: unknown) => void;
  /** The last one sent: they arrive in order. */
  #last: Promise<void> = Promise.resolve();

  constructor(env: NodeJS.ProcessEnv, onProblem: (cause: unknown) => void) {
    this.#socket = env["NOTIFY_SOCKET"];
    this.#path = env["PATH"];
    this.aliveEveryMs = halfOf(env);
    this.#onProblem = onProblem;
  }

  /** Resolves when it is told. What goes wrong is a matter for the log, never for the caller. */
  notify(notification: Notification): Promise<void> {
    if (this.#socket !== undefined && this.#socket !== "") {
      this.#last = this.#last
        .then(() => this.#send(toVariables(notification)))
        .catch(this.#onProblem);
    }
    return this.#last;
  }

  async #send(variables: readonly string[]): Promise<void> {
    const child = spawn("systemd-notify", variables, {
      stdio: "ignore",
      // It waits until systemd has read; a systemd that does not must not hold us.
      timeout: notifyTimeoutMs,
      env: { NOTIFY_SOCKET: this.#socket, PATH: this.#path },
    });
    await once(child, "exit");
    if (child.exitCode !== 0) throw new Error(`systemd-notify ended with ${child.exitCode}`);
  }
}

/** Half of what the watchdog waits, as sd_watchdog_enabled(3) advises; nothing when it is another's. */
function halfOf(env: NodeJS.ProcessEnv): number | undefined {
  const { WATCHDOG_USEC: microseconds, WATCHDOG_PID: pid } = env;
  if (microseconds === undefined || !/^[1-9]\d{0,12}$/.test(microseconds)) return undefined;
  if (pid !== undefined && pid !== String(process.pid)) return undefined;
  return Number(microseconds) / 2000;
}

function toVariables(notification: Notification): readonly string[] {
  switch (notification.kind) {
    case "ready":
      return ["READY=1", `STATUS=${notification.status}`];
    case "alive":
      return ["WATCHDOG=1"];
    case "reloading":
      return ["RELOADING=1"];
    case "stopping":
      return ["STOPPING=1", `STATUS=${notification.status}`];
    default:
      return notification satisfies never;
  }
}
