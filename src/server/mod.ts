export {
  type BroadcastOptions,
  Group,
  type GroupOptions,
  type SlowMemberPolicy,
} from "./group.ts";
export { DEFAULT_SERVER_LIMITS, type ServerLimits } from "./limits.ts";
export { serve, type ServeOptions } from "./serve.ts";
export {
  type DrainOptions,
  type OverLimit,
  Server,
  type ServerInfo,
  type ServerParts,
  type ServerStatus,
} from "./server.ts";
export {
  type RpcFailure,
  rpcHandler,
  type RpcHandlerOptions,
  type RpcWindow,
} from "./rpc.ts";
export {
  RpcContext,
  type RpcContextParts,
  type RpcMethod,
  type RpcMethods,
  type RpcPeer,
  type RpcSession,
  withParams,
} from "./rpc_context.ts";
