import { formatChange } from "../../proto/link/settings.ts";
import type { LinkEvent } from "../../proxy/link/events.ts";
import { describeError } from "../describe_error.ts";
import { formatBytes } from "../format.ts";
import type { Output } from "../output.ts";

/** Prints what happens to a link. */
export function tellLinkEvent(event: LinkEvent, output: Output): void {
  switch (event.type) {
    case "ended": {
      const { address, bytesUp, bytesDown, durationMs, ending } = event.access;
      return output.print(
        `${address} up ${formatBytes(bytesUp)} down ${formatBytes(bytesDown)} ${
          (durationMs / 1000).toFixed(3)
        } s ${ending}`,
        { type: "ended", ...event.access },
      );
    }
    case "changed": {
      const { set, direction } = event;
      return output.print(
        `changed ${direction === undefined ? "" : `${direction} `}${
          formatChange(set)
        }`,
        { type: "changed", direction, settings: formatChange(set) },
      );
    }
    case "connect failed":
      return output.error(describeError(event.error));
    case "device failed":
      return output.error(describeError(event.error));
    case "refused":
      return output.error(
        `refused ${event.address} at ${event.endpoint}: ${event.limit}`,
      );
    case "accept failed":
      return output.error(
        `cannot accept at ${event.endpoint}: ${String(event.error)}`,
      );
  }
}
