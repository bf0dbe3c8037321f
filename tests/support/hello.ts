import { createHmac } from "node:crypto";
import type { Negotiated } from "../../src/proto/hello.ts";
import type { Agreement } from "../../src/proto/hello/agreement.ts";
import { HelloError } from "../../src/proto/hello/error.ts";
import type { Hello, HelloSecrets } from "../../src/proto/hello/handshake.ts";

/** The hash of a real host, and a nonce that is the same in each run. */
export function secrets(fill: number): HelloSecrets {
  return {
    nonce: new Uint8Array(16).fill(fill),
    mac: (key, data) => createHmac("sha256", key).update(data).digest(),
  };
}

/** How a hello went. */
export interface Said {
  client: Hello<unknown>;
  server: Hello<unknown>;
  clientError: HelloError | undefined;
  serverError: HelloError | undefined;
}

/** Changes the bytes on their way; `to` is who gets them. */
export type Meddler = (
  bytes: Uint8Array,
  to: "client" | "server",
) => Uint8Array;

/** Lets two sides talk until neither has anything to say. */
export function sayHello(
  client: Negotiated<unknown>,
  server: Negotiated<unknown>,
  meddle: Meddler = (bytes) => bytes,
): Said {
  const said: Said = {
    client: client.hello("client", secrets(1)),
    server: server.hello("server", secrets(2)),
    clientError: undefined,
    serverError: undefined,
  };
  for (let quiet = 0, turn = 0; quiet < 2; turn++) {
    const to = turn % 2 === 0 ? "server" : "client";
    const bytes = said[to === "server" ? "client" : "server"].takeOutput();
    quiet = bytes.length === 0 ? quiet + 1 : 0;
    if (bytes.length === 0) continue;
    try {
      said[to].handle(meddle(bytes, to));
    } catch (error) {
      if (!(error instanceof HelloError)) throw error;
      said[`${to}Error`] ??= error;
    }
  }
  return said;
}

/** What two sides agree on. */
export function agree(
  client: Negotiated<unknown>,
  server: Negotiated<unknown>,
): Agreement {
  const said = sayHello(client, server);
  const error = said.clientError ?? said.serverError;
  if (error !== undefined) throw error;
  const ours = JSON.stringify(said.client.outcome?.agreement);
  const theirs = JSON.stringify(said.server.outcome?.agreement);
  if (ours !== theirs) throw new Error(`Client has ${ours}, server ${theirs}`);
  return said.client.outcome!.agreement!;
}
