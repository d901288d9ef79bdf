import { type Health, HealthCheckResponse_ServingStatus as ServingStatus } from "@aurae/api/health";
import { CellService } from "@aurae/api/runtime";
import { Gate } from "@aurae/domain/observe";
import type { Readiness } from "./readiness.ts";
import type { ServiceImpl } from "./service-impl.ts";
import { EdgeError, serviceUnknown } from "./status.ts";

/**
 * Whether the daemon serves. It does from the start, until it is told to stop; of cells it does not
 * as long as new work is refused.
 */
export class ServingState {
  readonly #stopped = new Gate();
  readonly #names: ReadonlySet<string>;
  readonly #readiness: Readiness;

  /** The names are those of the services; "" stands for the daemon. */
  constructor(names: readonly string[], readiness: Readiness) {
    this.#names = new Set(["", ...names]);
    this.#readiness = readiness;
  }

  get hasStopped(): boolean {
    return this.#stopped.isOpen;
  }

  stop(): void {
    this.#stopped.open();
  }

  statusOf(name: string): ServingStatus {
    if (!this.#names.has(name)) return ServingStatus.SERVICE_UNKNOWN;
    const isAboutCells = name === "" || name === CellService.typeName;
    const serves = !this.hasStopped && (this.#readiness.isReady || !isAboutCells);
    return serves ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }

  /** Resolves when it may be another. @throws Failure `cancelled` when the signal aborts first */
  async whenChanged(signal: AbortSignal): Promise<void> {
    const changed = new Gate();
    const forget = [
      this.#readiness.onChange(() => changed.open()),
      this.#stopped.onOpen(() => changed.open()),
    ];
    try {
      await changed.wait(signal);
    } finally {
      for (const each of forget) each();
    }
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
      while (!serving.hasStopped) {
        await serving.whenChanged(signal);
        yield { status: serving.statusOf(service) };
      }
    },
  };
}
