/**
 * The least code that Deno can broadcast with. Frames are a 4-byte big-endian
 * length and bytes; each goes to every other connection, an empty one back to
 * its sender alone (a sign that the sender has joined). What arrives in one turn
 * of the event loop is one batch, shared by all members: one write a member.
 *
 *     deno run --allow-net --no-check floor_broadcast.ts PORT
 *
 * @module
 */

interface Member {
  conn: Deno.Conn;
  /** Batches that wait for the write before them. */
  waiting: Uint8Array[];
  writing: boolean;
}

const members = new Set<Member>();
let batch = new Uint8Array(65536);
let batchLength = 0;
let batchSender: Member | undefined;

const listener = Deno.listen({
  port: +(Deno.args[0] ?? 0),
  hostname: "127.0.0.1",
  tcpBacklog: 4096,
});
console.log(`listening tcp://127.0.0.1:${listener.addr.port}`);
for await (const conn of listener) handle(conn);

function send(member: Member, bytes: Uint8Array) {
  if (member.writing) member.waiting.push(bytes);
  else write(member, bytes);
}

async function write(member: Member, first: Uint8Array) {
  member.writing = true;
  try {
    for (
      let bytes: Uint8Array | undefined = first;
      bytes !== undefined;
      bytes = member.waiting.shift()
    ) {
      let at = 0;
      while (at < bytes.length) {
        at += await member.conn.write(at > 0 ? bytes.subarray(at) : bytes);
      }
    }
  } catch {
    members.delete(member);
  }
  member.writing = false;
}

function flush() {
  if (batchLength === 0) return;
  const bytes = batch.slice(0, batchLength);
  batchLength = 0;
  for (const member of members) {
    if (member !== batchSender) send(member, bytes);
  }
  batchSender = undefined;
}

/** Adds whole frames to the turn's batch; a batch has one sender. */
function publish(sender: Member, frames: Uint8Array) {
  if (batchSender !== sender) flush();
  const need = batchLength + frames.length;
  if (need > batch.length) {
    const grown = new Uint8Array(Math.max(need, batch.length * 2));
    grown.set(batch.subarray(0, batchLength));
    batch = grown;
  }
  if (batchLength === 0) queueMicrotask(flush);
  batch.set(frames, batchLength);
  batchLength = need;
  batchSender = sender;
}

async function handle(conn: Deno.TcpConn) {
  conn.setNoDelay(true);
  const member: Member = { conn, waiting: [], writing: false };
  members.add(member);
  let input = new Uint8Array(64);
  let inputLength = 0;
  try {
    for (;;) {
      const n = await conn.read(input.subarray(inputLength));
      if (n === null) break;
      inputLength += n;
      let at = 0;
      while (inputLength - at >= 4) {
        const length = (input[at]! << 24 | input[at + 1]! << 16 |
          input[at + 2]! << 8 | input[at + 3]!) >>> 0;
        if (inputLength - at - 4 < length) break;
        const frame = input.subarray(at, at + 4 + length);
        at += 4 + length;
        if (length === 0) send(member, frame.slice());
        else publish(member, frame);
      }
      if (at > 0) {
        input.copyWithin(0, at, inputLength);
        inputLength -= at;
      } else if (inputLength === input.length) {
        const grown = new Uint8Array(Math.max(65536, input.length * 2));
        grown.set(input);
        input = grown;
      }
    }
  } catch {
    // The member went away.
  } finally {
    members.delete(member);
    try {
      conn.close();
    } catch {
      // Closed already.
    }
  }
}
