import type { FromHub } from "../../scenarios/hub/messages.ts";
import type { TransportConnectOptions } from "../../src/io/transport.ts";
import { frame, RawClient } from "./raw_client.ts";

/** Any answer of a hub, its fields not yet looked at. */
export type Heard = Record<string, unknown> & { type: FromHub["type"] };

/** A client of the hub as somebody would write it from the protocol's description: a length, then JSON. */
export class HubClient implements Disposable {
  /** The bytes. */
  readonly raw: RawClient;

  private constructor(raw: RawClient) {
    this.raw = raw;
  }

  /** Connects to a hub. */
  static async connect(
    to: string,
    options?: TransportConnectOptions,
  ): Promise<HubClient> {
    return new HubClient(await RawClient.connect(to, options));
  }

  /** Sends messages in one go: values as JSON, texts and bytes as they are. */
  async say(...messages: unknown[]): Promise<void> {
    const frames = messages.map((message) =>
      frame(
        typeof message === "string" || message instanceof Uint8Array
          ? message
          : JSON.stringify(message),
      )
    );
    await this.raw.send(await new Blob(frames).bytes());
  }

  /** Receives the next message. */
  async hear(): Promise<Heard> {
    const bytes = await this.raw.receiveFrame();
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  }

  /** Receives the next `count` messages. */
  async hearAll(count: number): Promise<Heard[]> {
    const heard: Heard[] = [];
    while (heard.length < count) heard.push(await this.hear());
    return heard;
  }

  /** Sends a message and receives the next. */
  async ask(message: unknown): Promise<Heard> {
    await this.say(message);
    return await this.hear();
  }

  /** Takes a name. */
  async identify(name: string): Promise<Heard> {
    return await this.ask({ type: "identify", name });
  }

  /** What is left to receive before the hub's end of the connection. */
  async rest(): Promise<Heard[]> {
    const bytes = await this.raw.receiveAll();
    const view = new DataView(bytes.buffer);
    const heard: Heard[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + 4 + view.getUint32(at);
      if (end > bytes.length) throw new Error("Cannot hear: a cut-off frame");
      heard.push(JSON.parse(
        new TextDecoder().decode(bytes.subarray(at + 4, end)),
      ));
      at = end;
    }
    return heard;
  }

  [Symbol.dispose](): void {
    this.raw[Symbol.dispose]();
  }
}
