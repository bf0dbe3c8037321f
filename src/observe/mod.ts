export type { PeerReference, ServerEvent, ServerObserver } from "./events.ts";
export {
  type EventLogger,
  logEvents,
  type LogEventsOptions,
} from "./log_events.ts";
export {
  type ObservedServer,
  PROMETHEUS_CONTENT_TYPE,
  prometheusText,
} from "./prometheus.ts";
