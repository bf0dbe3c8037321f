/**
 * A service inside the process, and a client of it that sends and receives lines.
 *
 * @module
 */

import { json } from "../../src/proto/codec/json.ts";
import { lines } from "../../src/proto/framing/delimited.ts";
import { rpcHandler, type RpcHandlerOptions } from "../../src/server/rpc.ts";
import type { RpcSession } from "../../src/server/rpc_context.ts";
import { serve, type ServeOptions } from "../../src/server/serve.ts";
import type { Server } from "../../src/server/server.ts";
import { RawClient } from "./raw_client.ts";
import { utf8 } from "./three_ways.ts";

/** JSON in lines. */
export const RPC_WIRE = lines(json());

/** A server of methods. */
export type RpcServer<State> = Server<unknown, unknown, RpcSession<State>>;

let count = 0;

/** Serves methods inside the process. */
export function startRpc<State = undefined>(
  options: RpcHandlerOptions<State>,
  serving: Partial<ServeOptions<unknown, unknown, RpcSession<State>>> = {},
): Promise<RpcServer<State>> {
  return serve({
    listen: `memory:rpc${++count}`,
    wire: RPC_WIRE,
    handler: rpcHandler(options),
    ...serving,
  });
}

/** Sends and receives lines of JSON. */
export class LineClient implements Disposable {
  readonly raw: RawClient;
  #received = "";

  constructor(raw: RawClient) {
    this.raw = raw;
  }

  static async connect(to: string): Promise<LineClient> {
    return new LineClient(await RawClient.connect(to));
  }

  /** Sends each message in a line of its own; a text as it is. */
  send(...messages: unknown[]): Promise<void> {
    const text = messages.map((message) =>
      (typeof message === "string" ? message : JSON.stringify(message)) + "\n"
    );
    return this.raw.send(utf8(text.join("")));
  }

  /** Asks for a method. */
  ask(id: unknown, method: string, members: object = {}): Promise<void> {
    return this.send({ jsonrpc: "2.0", id, method, ...members });
  }

  /** The next line. */
  async receive(): Promise<Record<string, unknown>> {
    for (;;) {
      const end = this.#received.indexOf("\n");
      if (end >= 0) {
        const line = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 1);
        return JSON.parse(line);
      }
      const chunk = new Uint8Array(65536);
      const read = await this.raw.conn.read(chunk);
      if (read === null) throw new Error("Cannot receive: the end came");
      this.#received += new TextDecoder().decode(chunk.subarray(0, read));
    }
  }

  /** The next lines, to the end of the stream. */
  async receiveAll(): Promise<Record<string, unknown>[]> {
    const rest = new TextDecoder().decode(await this.raw.receiveAll());
    const received = this.#received + rest;
    this.#received = "";
    return received.split("\n").filter((line) => line !== "").map((line) =>
      JSON.parse(line)
    );
  }

  [Symbol.dispose](): void {
    this.raw[Symbol.dispose]();
  }
}
