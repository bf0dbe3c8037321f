export { DEFAULT_LINK_OPTIONS, type LinkOptions } from "../proto/sim/link.ts";
export {
  formatNetworkEvent,
  type NetworkEvent,
  type NetworkObserver,
} from "./network_event.ts";
export { simulate, type SimulateOptions } from "./simulate.ts";
export { type RunUntilOptions, VirtualClock } from "./virtual_clock.ts";
export { VirtualHost } from "./virtual_host.ts";
export { VirtualNames } from "./virtual_names.ts";
export {
  VirtualNetwork,
  type VirtualNetworkOptions,
} from "./virtual_network.ts";
