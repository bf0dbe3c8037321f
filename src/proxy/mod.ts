export { balance, Balancer } from "./balance/balancer.ts";
export type { BalanceChange } from "./balance/roster.ts";
export { balanceMetrics } from "./balance/metrics.ts";
export type {
  BalanceEvent,
  BalanceOptions,
  BalanceSettings,
  BalanceTarget,
} from "./balance/options.ts";
export type { Bridge, GatewayPeer } from "./bridge.ts";
export type { ProxyAccess, ProxyEvent, ProxyRequest } from "./events.ts";
export { gateway, type GatewayOptions } from "./gateway.ts";
export type { ResumeOptions } from "./resumable_session.ts";
export {
  NatRouter,
  natRouter,
  type NatRouterOptions,
} from "./nat/nat_router.ts";
export { Proxy, proxy } from "./proxy.ts";
export {
  DEFAULT_PROXY_LIMITS,
  type ProxyLimits,
  type ProxyOptions,
  type ProxyRoute,
  type ProxyTarget,
  type ProxyWatcher,
} from "./proxy_options.ts";
export type { RelayEnding, RelayReport } from "./relay.ts";
export {
  DEFAULT_LINK_LIMITS,
  EmulatedLink,
  emulateLink,
  type EmulateLinkOptions,
  type LinkDirectionState,
  type LinkLimits,
  type LinkState,
} from "./link/emulated_link.ts";
export type { LinkAccess, LinkEvent } from "./link/events.ts";
export type { LinkEnding } from "./link/stream_connection.ts";
export {
  serveToxiproxy,
  Toxiproxy,
  type ToxiproxyOptions,
} from "./link/toxiproxy.ts";
export {
  type ByDirection,
  DEFAULT_IMPAIRMENTS,
  type Impairments,
  type LinkDirection,
} from "../proto/link/impairments.ts";
export type { LinkCounters } from "../proto/link/impaired_link.ts";
export {
  LINK_PRESETS,
  type LinkPreset,
  type LinkPresetName,
} from "../proto/link/presets.ts";
export { outages, type ScheduledChange } from "../proto/link/schedule.ts";
export {
  formatTrace,
  generateTrace,
  parseTrace,
  type TraceOptions,
} from "../proto/link/trace.ts";
