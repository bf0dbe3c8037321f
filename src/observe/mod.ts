export type { PeerIdentity, ServerEvent, ServerObserver } from "./events.ts";
