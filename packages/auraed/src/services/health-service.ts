import { type Health, HealthCheckResponse_ServingStatus as ServingStatus } from "@aurae/api/health";
import { Gate } from "@aurae/domain/observe";
import type { ServiceImpl } from "./service-impl.ts";
import { EdgeError, serviceUnknown } from "./status.ts";

/** Whether the daemon serves. It does from the start, until it is told to stop. */
export class ServingState {
  readonly #stopped = new Gate();
  readonly #names: ReadonlySet<string>;

  /** The names are those of the services; "" stands for the daemon. */
  constructor(names: readonly string[]) {
    this.#names = new Set(["", ...names]);
  }

  stop(): void {
    this.#stopped.open();
  }

  statusOf(name: string): ServingStatus {
    if (!this.#names.has(name)) return ServingStatus.SERVICE_UNKNOWN;
    return this.#stopped.isOpen ? ServingStatus.NOT_SERVING : ServingStatus.SERVING;
  }

  /** Resolves when it stops. @throws Failure `cancelled` when the signal aborts first */
  async whenStopped(signal: AbortSignal): Promise<void> {
    await this.#stopped.wait(signal);
  }
}

/** `grpc.health.v1.Health`. */
export function healthService(serving: ServingState): ServiceImpl<typeof Health> {
  return {
    async check({ service }) {
      const status = serving.statusOf(service);
      if (status !== ServingStatus.SERVICE_UNKNOWN) return { status };
      throw new EdgeError(serviceUnknown(service));
    },

    async *watch({ service }, { signal }) {
      yield { status: serving.statusOf(service) };
      await serving.whenStopped(signal);
      yield { status: serving.statusOf(service) };
    },
  };
}
