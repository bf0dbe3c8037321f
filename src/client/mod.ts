export { Client } from "./client.ts";
export { connect, type ConnectOptions } from "./connect.ts";
export { byKey, type Correlation, inOrder } from "./correlation.ts";
export {
  type Ladder,
  ladder,
  type LadderOptions,
  networkByAddresses,
  type WinnerStore,
} from "./ladder.ts";
export {
  openQuic,
  type OpenQuicOptions,
  QuicRoad,
  type QuicStreamOptions,
} from "./quic_road.ts";
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
export {
  type ResumableEnding,
  ResumableSocket,
  type ResumableSocketOptions,
} from "./resumable_socket.ts";
export type { ReconnectOptions } from "./reconnect_policy.ts";
export type { ClientStatus } from "./status.ts";
export {
  RpcClient,
  rpcClient,
  type RpcClientOptions,
  type RpcRequestOptions,
  type RpcStreamOptions,
} from "./rpc.ts";
export type { RpcTransport, RpcTransportListener } from "./rpc_transport.ts";
export type {
  RpcItem,
  RpcName,
  RpcParams,
  RpcResult,
  RpcUntyped,
} from "./rpc_types.ts";
export {
  type AcquireOptions,
  Bulkhead,
  type BulkheadOptions,
  ConcurrencyLimitError,
} from "./bulkhead.ts";
export { classifyError, type Verdict } from "./classify.ts";
export { Guard } from "./guard.ts";
export type {
  Attempt,
  GuardedServerStatus,
  GuardEvent,
  GuardHedgeOptions,
  GuardOptions,
  RunOptions,
} from "./guard_options.ts";
export { BreakerOpenError } from "./guarded_server.ts";
export { hedge, type HedgeOptions } from "./hedge.ts";
export { Lease, type Lender } from "./lease.ts";
export { createPool, Pool } from "./pool.ts";
export {
  PoolClosedError,
  PoolFullError,
  PoolTimeoutError,
} from "./pool_errors.ts";
export type {
  PoolDestroyReason,
  PoolDrainOptions,
  PoolEvent,
  PoolOptions,
  TakeOptions,
} from "./pool_options.ts";
