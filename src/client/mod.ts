export { Client } from "./client.ts";
export { connect, type ConnectOptions } from "./connect.ts";
export { byKey, type Correlation, inOrder } from "./correlation.ts";
export {
  type RequestOptions,
  Requests,
  RequestTimeoutError,
} from "./requests.ts";
export {
  type HeartbeatOptions,
  keepConnected,
  type KeepConnectedOptions,
  PersistentClient,
  type PersistentRequestOptions,
} from "./persistent.ts";
export type { ReconnectOptions } from "./reconnect_policy.ts";
export type { ClientStatus } from "./status.ts";
export {
  RpcClient,
  rpcClient,
  type RpcClientOptions,
  type RpcItem,
  type RpcName,
  type RpcParams,
  type RpcRequestOptions,
  type RpcResult,
  type RpcStreamOptions,
  type RpcUntyped,
} from "./rpc.ts";
export type { RpcTransport, RpcTransportListener } from "./rpc_transport.ts";
