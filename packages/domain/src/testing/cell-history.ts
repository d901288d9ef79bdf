import type { Operation, Step } from "./linearizable.ts";

/** What a caller may ask of one cell and the executable `main` in it. */
export type Ask = "Allocate" | "Free" | "Start" | "Stop" | "List";

/** `long` runs until it is stopped, `short` ends by itself, `missing` is not found. */
export type Program = "long" | "short" | "missing";

export type Answer = "OK" | "NOT_FOUND" | "ALREADY_EXISTS" | "FAILED_PRECONDITION";

export interface CellCall {
  readonly ask: Ask;
  /** Of Start. */
  readonly program: Program;
  readonly calledAt: number;
  readonly answeredAt: number;
  /** Another word than those of {@link Answer} is explained by nothing; undefined: the daemon was killed then. */
  readonly answer: string | undefined;
}

/**
 * What is true of a cell, as its contract tells it to callers. A run that is `passing` ends by itself: it
 * may be met running or ended. `before` is what a Start found, and what is there again when it fails.
 */
export interface CellTruth {
  readonly cell: "absent" | "allocating" | "allocated" | "freeing";
  readonly run: "none" | "starting" | "running" | "passing" | "stopping" | "ended";
  readonly before: "none" | "ended";
}

export const noCell: CellTruth = { cell: "absent", run: "none", before: "none" };

/** A call as the steps that its answer allows. What it claims before it is done is a step, for others see it. */
export function toOperation(call: CellCall): Operation<CellTruth> {
  const { ask, program, calledAt, answeredAt, answer } = call;
  const common = { name: `${ask} ${program} ${answer ?? "cut"}`, calledAt, answeredAt };
  if (answer !== undefined) return { ...common, ways: waysOf(ask, program)[answer] ?? [] };
  return { ...common, ways: Object.values(waysOf(ask, program)).flat(), isCut: true };
}

/** The daemon is killed and the next one serves: what was half done is finished or undone. */
export function toCrash(calledAt: number, answeredAt: number): Operation<CellTruth> {
  return { name: "crash", calledAt, answeredAt, ways: [[recover]] };
}

type Ways = Readonly<Record<string, Operation<CellTruth>["ways"]>>;

const { absent, allocating, allocated, freeing, here } = {
  absent: ({ cell }: CellTruth) => cell === "absent",
  allocating: ({ cell }: CellTruth) => cell === "allocating",
  allocated: ({ cell }: CellTruth) => cell === "allocated",
  freeing: ({ cell }: CellTruth) => cell === "freeing",
  here: ({ cell }: CellTruth) => cell !== "absent",
};

function waysOf(ask: Ask, program: Program): Ways {
  switch (ask) {
    case "Allocate":
      return {
        OK: [[when(absent, { ...noCell, cell: "allocating" }), when(allocating, newCell)]],
        ALREADY_EXISTS: [[when(here)]],
      };
    case "Free": {
      const begin = when((truth) => allocated(truth) || freeing(truth), { cell: "freeing" });
      return {
        OK: [[begin, when((truth) => freeing(truth) || absent(truth), noCell)]],
        NOT_FOUND: [[when(absent)]],
      };
    }
    case "Start":
      return {
        OK: program === "missing" ? [] : [[claim, when(isStarting, { run: runOf(program) })]],
        NOT_FOUND: [[when(absent)]],
        ALREADY_EXISTS: [[when((truth) => allocated(truth) && isTaken(truth))]],
        FAILED_PRECONDITION: [
          [when((truth) => allocating(truth) || freeing(truth) || hasLeftovers(truth))],
          [claim, program === "missing" ? giveUp : refuseAtEnd],
        ],
      };
    case "Stop":
      return {
        OK: [
          [when(hasEnded, { run: "ended" })],
          [when(isStoppable, { run: "stopping" }), when(isStopping, { run: "ended" })],
        ],
        NOT_FOUND: [[when(({ run }) => run === "none")]],
      };
    case "List":
      return { OK: [[when(here)]], NOT_FOUND: [[when(absent)]] };
    default:
      return ask satisfies never;
  }
}

const newCell: CellTruth = { ...noCell, cell: "allocated" };

function when(
  holds: (truth: CellTruth) => boolean,
  change: Partial<CellTruth> = {},
): Step<CellTruth> {
  return (truth) => (holds(truth) ? [{ ...truth, ...change }] : []);
}

function runOf(program: Program): CellTruth["run"] {
  return program === "short" ? "passing" : "running";
}

function isStarting({ run }: CellTruth): boolean {
  return run === "starting";
}

function isTaken({ run }: CellTruth): boolean {
  return run !== "none" && run !== "ended";
}

/** Processes of its tree may be left for a moment. */
function hasLeftovers({ run }: CellTruth): boolean {
  return run === "passing" || run === "stopping";
}

/** While the cell is being freed, a run may have ended already. */
function hasEnded(truth: CellTruth): boolean {
  const { run } = truth;
  return run === "ended" || run === "passing" || (freeing(truth) && isStoppable(truth));
}

function isStoppable({ run }: CellTruth): boolean {
  return run === "running" || run === "passing" || run === "stopping";
}

function isStopping({ run }: CellTruth): boolean {
  return run === "stopping" || run === "ended";
}

function claim(truth: CellTruth): readonly CellTruth[] {
  if (!allocated(truth) || (isTaken(truth) && truth.run !== "passing")) return [];
  return [{ ...truth, run: "starting", before: truth.run === "none" ? "none" : "ended" }];
}

function giveUp(truth: CellTruth): readonly CellTruth[] {
  return isStarting(truth) ? [{ ...truth, run: truth.before }] : [];
}

/** The cell began to end when the Start was on its way already. */
function refuseAtEnd(truth: CellTruth): readonly CellTruth[] {
  if (absent(truth)) return [truth];
  return freeing(truth) ? giveUp(truth) : [];
}

function recover(truth: CellTruth): readonly CellTruth[] {
  if (freeing(truth)) return [noCell];
  if (allocating(truth)) return [noCell, newCell];
  if (truth.run === "stopping") return [{ ...truth, run: "passing" }];
  if (truth.run !== "starting") return [truth];
  return (["running", "passing", truth.before] as const).map((run) => ({ ...truth, run }));
}
