export type { ProxyAccess, ProxyEvent, ProxyRequest } from "./events.ts";
export { gateway, type GatewayOptions } from "./gateway.ts";
export type { ResumeOptions } from "./resumable_session.ts";
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
