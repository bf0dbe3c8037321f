// The least code that node:tls can echo with, in Node and in Deno.
//
//     node tls.mjs CERT KEY [AUTHORITY_OF_CLIENTS]

import { readFileSync } from "node:fs";
import process from "node:process";
import { createServer } from "node:tls";

const [cert, key, ca] = process.argv.slice(2).map((path) =>
  readFileSync(path, "utf8")
);
const clients = ca === undefined
  ? {}
  : { ca: [ca], requestCert: true, rejectUnauthorized: true };

const server = createServer({ cert, key, ...clients }, (socket) => {
  socket.setNoDelay(true);
  socket.on("data", (chunk) => socket.write(chunk));
  socket.on("error", () => {});
});
server.on("tlsClientError", () => {});
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
  console.log(`listening tcp://127.0.0.1:${server.address().port}`);
});
