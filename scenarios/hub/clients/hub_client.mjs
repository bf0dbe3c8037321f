// A client of the hub, module or command: hub_client.mjs HOST PORT NAME [TEXT]
// Takes the name; says the text to everybody, or else prints what others say.
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { argv } from "node:process";

const UNASKED = /^(broadcast|direct|room_message|gap|name_lost|going_away)$/;

export function frame(message) {
  const payload = Buffer.from(JSON.stringify(message));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(payload.length);
  return Buffer.concat([length, payload]);
}

async function* messages(socket) {
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE()) {
      const end = 4 + bytes.readUInt32BE();
      yield JSON.parse(bytes.subarray(4, end));
      bytes = bytes.subarray(end);
    }
  }
  throw new Error("The hub has closed the connection");
}

export class HubClient {
  #unread = []; // what came while an answer was waited for
  constructor(host, port) {
    this.messages = messages(this.socket = connect(port, host));
  }
  send = (message) => this.socket.write(frame(message));
  read = async () => (await this.messages.next()).value;
  receive = async () => this.#unread.shift() ?? await this.read();
  async ask(request) {
    this.send(request);
    let got;
    while (UNASKED.test((got = await this.read()).type)) this.#unread.push(got);
    if (got.type !== "error") return got;
    throw new Error(`${got.code}: ${got.message}`);
  }
}

if (import.meta.url.endsWith(`/${argv[1]?.split("/").pop()}`)) {
  const [host, port, name, content] = argv.slice(2);
  const hub = new HubClient(host, Number(port));
  await hub.ask({ type: "identify", name });
  console.log("connected");
  // Who says nothing for ten minutes is taken for gone.
  setInterval(() => hub.send({ type: "ping" }), 60_000).unref();
  while (content === undefined) {
    const { from, content } = await hub.receive();
    if (content !== undefined) console.log(`${from}: ${content}`);
  }
  const { recipients } = await hub.ask({ type: "broadcast", content });
  console.log("heard by", recipients);
  hub.socket.destroy();
}
