import type { Clock } from "../io/clock.ts";
import type { TransportConnectOptions } from "../io/transport.ts";
import type { Transports } from "../io/transports.ts";

/** How the other side of a transfer is reached. */
export interface RoadOptions extends Omit<TransportConnectOptions, "messages"> {
  /** Milliseconds until the connection must stand. @default {10_000} */
  readonly timeoutMs?: number;
  /**
   * Milliseconds without progress after which a transfer whose connection broke is given up; until then it connects
   * again and goes on. A first connection that fails is not tried again. @default {0}
   */
  readonly retryMs?: number;
  /** Where deadlines take their time from. @default {systemClock} */
  readonly clock?: Clock;
  /** The roads that endpoints take, for simulations. @default {systemTransports} */
  readonly transports?: Transports;
}
