import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { inWords } from "./in-words.ts";
import { Refusal } from "./refusal.ts";

const programs = ["aurae-launcher", "aurae-supervisor", "aurae-stage"];

/** @throws Refusal when a program that cells need is not there */
export function requireShim(directory: string): void {
  for (const program of programs) {
    const path = join(directory, program);
    try {
      accessSync(path, constants.X_OK);
    } catch (cause) {
      throw new Refusal(`Cannot run ${path}: ${inWords(cause)} (make build)`, { cause });
    }
  }
}
