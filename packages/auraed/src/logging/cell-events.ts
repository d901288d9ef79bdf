import type { CellObserver } from "@aurae/domain/cells";
import type { Logger } from "pino";

/** Log what happens to cells: a failed one as a warning, the rest, of which calls tell, at debug. */
export function logEvents(logger: Logger): CellObserver {
  return ({ kind, ...facts }) => {
    if (kind === "failed") logger.warn(facts, "cell failed");
    else logger.debug(facts, words[kind]);
  };
}

const words = {
  adopted: "cell adopted",
  allocated: "cell allocated",
  freeing: "freeing cell",
  freed: "cell freed",
  started: "run started",
  stopping: "stopping run",
  ended: "run ended",
} as const;
