/**
 * The least code that Deno can echo WebSocket messages with: RFC 6455 without
 * fragments, control frames, limits or ends.
 *
 *     deno run --allow-net=127.0.0.1 benches/peers/floor_web_socket.ts PORT
 *
 * @module
 */

const listener = Deno.listen({
  hostname: "127.0.0.1",
  port: Number(Deno.args[0] ?? 0),
  tcpBacklog: 4096,
});
console.log(`listening ws://127.0.0.1:${listener.addr.port}`);
for await (const conn of listener) void serve(conn);

async function upgrade(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(4096);
  const count = await conn.read(buffer) ?? 0;
  const head = new TextDecoder().decode(buffer.subarray(0, count));
  const key = /sec-websocket-key: (\S+)/i.exec(head)?.[1];
  const hash = await crypto.subtle.digest(
    "SHA-1",
    new TextEncoder().encode(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`),
  );
  const accept = new Uint8Array(hash).toBase64();
  await conn.write(new TextEncoder().encode(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
      `Connection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  ));
}

async function serve(conn: Deno.TcpConn): Promise<void> {
  conn.setNoDelay(true);
  try {
    await upgrade(conn);
    await echo(conn);
  } catch {
    // Gone.
  }
}

async function echo(conn: Deno.TcpConn): Promise<void> {
  const input = new Uint8Array(65536);
  const view = new DataView(input.buffer);
  const output = new Uint8Array(65536 + 16);
  let length = 0;
  for (;;) {
    const count = await conn.read(input.subarray(length));
    if (count === null) return;
    length += count;
    let at = 0;
    let written = 0;
    while (length - at >= 2) {
      let size = input[at + 1]! & 0x7f;
      let header = 6;
      if (size === 126) {
        if (length - at < 4) break;
        size = view.getUint16(at + 2);
        header = 8;
      }
      const start = at + header;
      const end = start + size;
      if (end > length) break;
      const key = view.getInt32(start - 4);
      let index = start;
      for (; index + 4 <= end; index += 4) {
        view.setInt32(index, view.getInt32(index) ^ key);
      }
      for (let k = start - 4; index < end; index++) {
        input[index]! ^= input[k++]!;
      }
      output[written++] = input[at]!;
      if (size < 126) {
        output[written++] = size;
      } else {
        output[written++] = 126;
        output[written++] = size >>> 8;
        output[written++] = size;
      }
      output.set(input.subarray(start, end), written);
      written += size;
      at = end;
    }
    input.copyWithin(0, at, length);
    length -= at;
    for (let sent = 0; sent < written;) {
      sent += await conn.write(output.subarray(sent, written));
    }
  }
}
