/**
 * A worker: clients that come to a TLS echo server one after the other, four
 * at a time, whatever its certificate. It posts how many were served, and why
 * one was not.
 *
 * @module
 */

import { connect } from "../../src/client/connect.ts";
import { text } from "../../src/proto/codec/text.ts";
import { lines } from "../../src/proto/framing/delimited.ts";

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<string>) => void;
  postMessage(message: unknown): void;
};

let served = 0;

async function come(to: string): Promise<void> {
  await using client = await connect({
    to,
    wire: lines(text()),
    tls: { dangerouslySkipVerification: true },
  });
  client.send("ahoy");
  const answer = await client.receive();
  if (answer !== "ahoy") throw new Error(`The answer is ${answer}`);
  scope.postMessage(++served);
}

async function comeAgain(to: string): Promise<never> {
  while (true) {
    await come(to).catch((error) => scope.postMessage(String(error)));
  }
}

scope.onmessage = ({ data }) => {
  for (let count = 0; count < 4; count++) {
    void comeAgain(data);
  }
};
