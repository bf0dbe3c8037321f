/**
 * Makes a service reachable by another road.
 *
 * @module
 */

import { parseEndpoint } from "../../io/endpoint.ts";
import { gateway } from "../../proxy/gateway.ts";
import { LOG_FLAGS, logServer } from "../log.ts";
import { runMain } from "../run.ts";
import {
  CLIENT_TLS_FLAGS,
  readClientTls,
  readServerTls,
  SERVER_TLS_FLAGS,
  watchServerTls,
} from "../tls_flags.ts";

/** Runs `deno task gateway`. */
export function run(args: readonly string[]): Promise<never> {
  return runMain({
    name: "gateway",
    summary: "Make a service reachable by WebSocket, or a WebSocket service " +
      "by TCP.",
    positionals: [
      {
        name: "listen",
        help: "Where to listen, as an endpoint",
        required: true,
        check: parseEndpoint,
      },
      {
        name: "to",
        help: "Where the service is",
        required: true,
        check: parseEndpoint,
      },
    ],
    options: {
      ...SERVER_TLS_FLAGS,
      ca: CLIENT_TLS_FLAGS.ca,
      origin: {
        type: "list",
        placeholder: "ORIGIN",
        help: "Let in web pages from there, such as https://example.org; " +
          "by default from the gateway's own host",
      },
      maxConnections: {
        type: "integer",
        default: 9_000,
        min: 1,
        help: "Connections in all",
      },
      keepSeconds: {
        type: "number",
        default: 60,
        min: 1,
        help: "How long a session is kept for a client that has lost it",
      },
      ...LOG_FLAGS,
    },
    examples: [
      [
        "deno task gateway ws://127.0.0.1:8080 tcp://127.0.0.1:9999",
        "Let browsers talk to a TCP service",
      ],
      [
        "deno task gateway tcp://127.0.0.1:9999 wss://example.org/hub",
        "Let TCP programs talk to a WebSocket service",
      ],
    ],
  }, async (values, { output, signal, listening, stopped }) => {
    const readTls = () => readServerTls(values, [values.listen], output);
    const tls = await readTls();
    const { ca } = values;
    await using door = await gateway({
      listen: values.listen,
      to: values.to,
      connect: { tls: await readClientTls(ca === undefined ? {} : { ca }) },
      limits: { maxConnections: values.maxConnections },
      resume: { keepMs: values.keepSeconds * 1000 },
      observe: logServer("gateway", values.logLevel),
      ...(tls === undefined ? {} : { tls }),
      ...(values.origin.length === 0
        ? {}
        : { webSocket: { origins: values.origin } }),
    });
    listening(door.endpoints);
    void watchServerTls(readTls, (tls) => door.renewTls(tls), {
      output,
      signal,
    });
    await stopped;
  }, args);
}
