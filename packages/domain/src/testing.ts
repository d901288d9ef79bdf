export { FakeEnclosure, FakeHost } from "./cells/fake-host.ts";
export { type HostUnderTest, hostSuite } from "./cells/host.suite.ts";
