import type { ServerEvent } from "../../src/observe/events.ts";
import { waitUntil } from "./wait.ts";

type EventType = ServerEvent["type"];
type EventOf<Type extends EventType> = Extract<ServerEvent, { type: Type }>;

/** What every connection is told to have done, whatever happens to it. */
const ROUTINE: readonly EventType[] = [
  "listening",
  "accepted",
  "closed",
  "suspended",
  "draining",
  "stopped",
];

/** Keeps every event of a server. */
export class Recorder {
  readonly events: ServerEvent[] = [];
  /** Called with every event, in the moment in which it happens. */
  onEvent: ((event: ServerEvent) => void) | undefined;
  /** Pass this as `observe`. */
  readonly observe = (event: ServerEvent): void => {
    this.events.push(event);
    this.onEvent?.(event);
  };

  /** The events of one type. */
  of<Type extends EventType>(type: Type): EventOf<Type>[] {
    return this.events.filter((event): event is EventOf<Type> =>
      event.type === type
    );
  }

  /** Everything but the routine of connections that come and go: what a log would warn of. */
  get warnings(): ServerEvent[] {
    return this.events.filter(({ type }) => !ROUTINE.includes(type));
  }

  /** Waits for the `count`th event of a type. */
  async until<Type extends EventType>(
    type: Type,
    count = 1,
  ): Promise<EventOf<Type>> {
    await waitUntil(
      `${count} "${type}"`,
      () => this.of(type).length >= count,
    );
    return this.of(type)[count - 1]!;
  }
}
