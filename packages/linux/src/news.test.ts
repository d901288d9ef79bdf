import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate } from "@aurae/domain/observe";
import { News } from "./news.ts";

const { signal } = new AbortController();

test("News keeps what comes before anybody listens, in order", () => {
  const news = new News();
  const heard: string[] = [];
  news.tell((watcher) => watcher.failed("one"));
  news.tell((watcher) => watcher.failed("two"));

  news.attach({ runChanged: () => undefined, failed: (why) => heard.push(why) });

  assert.deepEqual(heard, ["one", "two"]);
});

test("News holds back what comes after something that waits", async () => {
  const news = new News();
  const heard: string[] = [];
  const gate = new Gate();
  news.attach({ runChanged: () => undefined, failed: (why) => heard.push(why) });
  news.tell((watcher) => watcher.failed("at once"));
  news.tellAfter(
    () => gate.wait(signal),
    (watcher) => watcher.failed("late"),
  );
  news.tell((watcher) => watcher.failed("later"));
  assert.deepEqual(heard, ["at once"]);

  gate.open();
  await news.told;

  assert.deepEqual(heard, ["at once", "late", "later"]);
});
