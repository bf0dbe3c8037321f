import type { Handler } from "../../src/io/handler.ts";
import { text } from "../../src/proto/codec/text.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { serve, type ServeOptions } from "../../src/server/serve.ts";
import type { Server } from "../../src/server/server.ts";
import { VirtualClock } from "../../src/sim/virtual_clock.ts";
import { RawClient } from "./raw_client.ts";
import { Recorder } from "./recorder.ts";
import { turns } from "./wait.ts";

/** Frames with a 4-byte length that hold text. */
export const TEXT_WIRE = lengthPrefixed(text(), { maxFrameBytes: 1 << 16 });

let count = 0;

/** A server inside the process, in time that a test makes pass. */
export class VirtualServer<State = undefined> implements AsyncDisposable {
  readonly server: Server<string, string, State>;
  readonly clock: VirtualClock;
  readonly recorder: Recorder;

  private constructor(
    server: Server<string, string, State>,
    clock: VirtualClock,
    recorder: Recorder,
  ) {
    this.server = server;
    this.clock = clock;
    this.recorder = recorder;
  }

  static async start<State = undefined>(
    handler: Handler<string, string, State>,
    options: Partial<ServeOptions<string, string, State>> = {},
  ): Promise<VirtualServer<State>> {
    const clock = new VirtualClock();
    const recorder = new Recorder();
    const server = await serve<string, string, State>({
      listen: `memory:virtual${++count}`,
      wire: TEXT_WIRE,
      handler,
      clock,
      observe: recorder.observe,
      ...options,
    });
    return new VirtualServer(server, clock, recorder);
  }

  /** Connects a peer that sends and reads bytes. */
  async dial(): Promise<RawClient> {
    const client = await RawClient.connect(this.server.endpoint);
    await turns();
    return client;
  }

  /** The events of what went wrong, each as its type and what says more. */
  get warnings(): string[] {
    return this.recorder.warnings.map((event) => {
      switch (event.type) {
        case "limit":
          return `limit ${event.limit}: ${event.detail}`;
        case "invalid":
          return `invalid ${event.error.code}`;
        case "slow":
          return `slow ${event.slow}`;
        case "gap":
          return `gap ${event.missed}`;
        case "callback failed":
          return `callback failed: ${event.error}`;
        default:
          return event.type;
      }
    });
  }

  /** How connections ended, in order, as cause and reason. */
  get endings(): string[] {
    return this.recorder.of("closed").map(({ ending }) =>
      ending.reason === undefined
        ? ending.cause
        : `${ending.cause}: ${ending.reason}`
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.abort();
  }
}
