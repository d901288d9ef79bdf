import { Instances, Pods, Spawn } from "@aurae/api/runtime";
import type { DescService } from "@bufbuild/protobuf";

/**
 * Services of the contract that have no methods yet: reflection shows them, and every call on them
 * is answered UNIMPLEMENTED, as that of any method the server does not know (grpc-js refuses to add
 * a service without methods).
 */
export const unimplementedServices: readonly DescService[] = [Pods, Instances, Spawn];
