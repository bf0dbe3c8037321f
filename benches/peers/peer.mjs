// The job in Node: `net` and `JSON`, replies to one chunk corked into one write.
//
//   node peer.mjs PORT
import net from "node:net";

const server = net.createServer({ noDelay: true }, (socket) => {
  let rest = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("data", (data) => {
    if (rest.length) data = Buffer.concat([rest, data]);
    let at = 0;
    socket.cork();
    while (data.length - at >= 4) {
      const length = data.readUInt32BE(at);
      if (data.length - at - 4 < length) break;
      const message = JSON.parse(
        data.toString("utf8", at + 4, at + 4 + length),
      );
      at += 4 + length;
      const reply = Buffer.from(JSON.stringify({
        type: "echo_response",
        content: message.content,
        timestamp: "x",
        echoed_by: "TCP Server",
      }));
      const header = Buffer.allocUnsafe(4);
      header.writeUInt32BE(reply.length);
      socket.write(header);
      socket.write(reply);
    }
    socket.uncork();
    rest = data.subarray(at);
  });
});

server.listen(+(process.argv[2] ?? 0), "127.0.0.1", 4096, () => {
  console.log(`listening tcp://127.0.0.1:${server.address().port}`);
});
