import assert from "node:assert/strict";
import { test } from "node:test";
import { needsRoot } from "../daemon.ts";
import { Counts } from "./counts.ts";
import { drawCrash } from "./crash.ts";
import { drawRound } from "./operation.ts";
import { Random } from "./random.ts";
import { Seed } from "./seed.ts";

/** A bounded part of `make torture`, and what makes a seed replay. */

const seed = 35;
const rounds = 8;

test("a seed draws the same operations and the same deaths each time", () => {
  function draw(from: number): readonly unknown[] {
    const all = Array.from({ length: 50 }, (_, round) => new Random(from, round));
    return all.map((random) => {
      const asked = drawRound(random);
      return [asked, drawCrash(random, asked)];
    });
  }

  assert.deepEqual(draw(seed), draw(seed));
  assert.notDeepEqual(draw(seed), draw(seed + 1));
});

test("promises 1, 2 and 7: a tortured daemon loses, doubles and leaves nothing, and tells the truth", {
  skip: needsRoot,
}, async () => {
  const counts = new Counts();
  const said: string[] = [];

  await new Seed(seed, counts, (line) => said.push(line)).run(rounds, new AbortController().signal);

  assert.deepEqual(said, []);
  assert.equal(counts.rounds, rounds);
  // With nothing killed, or nothing there, nothing could have been seen.
  const { kills, cells, runs } = counts;
  assert.ok(kills.random + kills.named >= rounds / 2, "the daemon was killed");
  assert.ok(cells > 0 && runs > 0, "there was something to lose");
});
