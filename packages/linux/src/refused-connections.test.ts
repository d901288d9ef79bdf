import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { skipWithoutKernel as skip, warmSetting } from "./testing/linux-setting.ts";
import { WatchedCell } from "./testing/watched-cell.ts";

test("what a stranger sends to a supervisor is refused, and the daemon says so (fault 48)", {
  skip,
}, async () => {
  await using setting = await warmSetting();
  const { enclosure } = await WatchedCell.allocate(setting.host, "web");
  const socket = join(setting.runtimeDir, "cells", enclosure.id, "s.sock");

  await setting.restart(); // A daemon that is there would come back first, and be served instead.
  const stranger = connect(socket, () => stranger.write(Buffer.alloc(10, 0xff)));
  stranger.on("error", () => undefined).resume();
  await new Promise((resolve) => stranger.once("close", resolve));
  const [adopted] = await setting.host.adopt();

  const words = 'The supervisor of cell "web" has refused what came to its socket, once';
  assert.deepEqual(setting.warnings, [words]);
  assert.equal(adopted?.failed, undefined);
  await adopted?.enclosure.end(0);
});
