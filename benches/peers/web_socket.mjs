// Sends every WebSocket message back with Node's ws.
//
//   npm install ws@8.21.0 && node web_socket.mjs PORT [deflate]
import { createRequire } from "node:module";

// Installed beside the copy that the suite runs.
const { WebSocketServer } = createRequire(import.meta.url)("ws");

const perMessageDeflate = process.argv[3] === "deflate"
  ? { serverNoContextTakeover: true, clientNoContextTakeover: true }
  : false;
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2] ?? 0),
  backlog: 4096,
  perMessageDeflate,
});
server.on("listening", () => {
  console.log(`listening ws://127.0.0.1:${server.address().port}`);
});
server.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
  socket.on("error", () => {});
});
