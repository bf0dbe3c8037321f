/**
 * The smallest server, and its client: what is sent comes back.
 *
 * @module
 */

import {
  bytes,
  connect,
  inOrder,
  lines,
  parseEndpoint,
  raw,
  runMain,
  serve,
  Terminal,
  text,
} from "../../mod.ts";

await runMain({
  name: "echo",
  summary: "Send back what comes; with --connect, be the client.",
  listen: ["tcp://127.0.0.1:8080"],
  options: {
    lines: {
      type: "boolean",
      help: "Send back whole lines, where bytes go back as they come",
    },
    connect: {
      type: "string",
      placeholder: "ENDPOINT",
      help: "Send lines from the standard input there, and print the replies",
      check: parseEndpoint,
      variable: false,
    },
  },
  examples: [
    ["deno task echo", "Serve; then try: nc 127.0.0.1 8080"],
    ["deno task echo --connect tcp://127.0.0.1:8080", "Be its client"],
    ["deno task echo --listen unix:/tmp/echo.sock", "Serve a Unix socket"],
  ],
}, async (options, { output, signal, listening, stopped }) => {
  if (options.connect !== undefined) {
    await using client = await connect({
      to: options.connect,
      wire: lines(text()),
      correlate: inOrder(),
      signal,
    });
    using terminal = new Terminal({ output, signal });
    for await (const line of terminal) {
      output.print(await client.request(line, { signal }));
    }
    return;
  }
  await using server = await serve({
    listen: options.listen,
    wire: options.lines ? lines(bytes()) : raw(bytes()),
    handler: { message: (peer, message) => peer.send(message) },
  });
  listening(server.endpoints);
  await stopped;
});
