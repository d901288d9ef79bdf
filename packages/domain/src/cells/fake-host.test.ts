import { FakeHost } from "./fake-host.ts";
import { hostSuite } from "./host.suite.ts";

hostSuite(
  "FakeHost",
  async () => ({ host: new FakeHost(), [Symbol.asyncDispose]: async () => undefined }),
  false,
);
