import { constants, mkdtempDisposableSync, unlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { errnoOf } from "./errno.ts";
import { openOwnFile } from "./own-file.ts";

test("openOwnFile() opens a file that is removed meanwhile, or finds none", async () => {
  using directory = mkdtempDisposableSync("/tmp/own-");
  const path = `${directory.path}/file`;

  for (let round = 0; round < 500; round++) {
    writeFileSync(path, "", { mode: 0o600 });
    const opened = openOwnFile(path, constants.O_RDONLY);
    const closed = opened.then(
      (file) => file.close(),
      (cause: unknown) => {
        if (errnoOf(cause) !== "ENOENT") throw cause;
      },
    );
    unlinkSync(path);
    await closed;
  }
});
