import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { skipWithoutKernel as skip, warmSetting } from "./testing/linux-setting.ts";
import { WatchedCell } from "./testing/watched-cell.ts";

test("what a stranger sends to a supervisor is refused, and the daemon says so (fault 48)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const cell = await WatchedCell.allocate(setting.host, "web");
  await cell.start(1, "sleep 1000");

  const socket = join(setting.runtimeDir, "cells", cell.enclosure.id, "s.sock");
  const stranger = connect(socket, () => stranger.write(Buffer.alloc(10, 0xff)));
  stranger.resume();
  await once(stranger, "close");
  await cell.enclosure.stop(1, 1000);

  const words = 'The supervisor of cell "web" has refused what came to its socket, once';
  assert.deepEqual(setting.warnings, [words]);
  await setting.restart();
  const [adopted] = await setting.host.adopt();
  assert.deepEqual(setting.warnings, [words, words]);
  assert.equal(adopted?.failed, undefined);
  await adopted?.enclosure.end(0);
});
