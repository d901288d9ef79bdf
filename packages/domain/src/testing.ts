export { FakeEnclosure, FakeHost } from "./cells/fake-host.ts";
export { type HostUnderTest, hostSuite } from "./cells/host.suite.ts";
export {
  type Ask,
  type CellCall,
  noCell,
  type Program,
  toCrash,
  toOperation,
} from "./testing/cell-history.ts";
export { isLinearizable } from "./testing/linearizable.ts";
