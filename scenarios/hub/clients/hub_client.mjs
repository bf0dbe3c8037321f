// A client of the hub, as module or command: hub_client.mjs HOST PORT NAME [TEXT]
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
    for (let end; (end = 4 + bytes.readUInt32BE()) <= bytes.length;) {
      yield JSON.parse(bytes.subarray(4, end));
      bytes = bytes.subarray(end);
      if (bytes.length < 4) break;
    }
  }
  throw new Error("the hub has closed the connection");
}

export class HubClient {
  #unread = []; // what came while an answer was waited for

  constructor(host, port) {
    this.socket = connect(port, host);
    this.messages = messages(this.socket);
  }

  send(message) {
    this.socket.write(frame(message));
  }

  async ask(request) {
    this.send(request);
    let message;
    while (UNASKED.test((message = await this.#read()).type)) {
      this.#unread.push(message);
    }
    if (message.type !== "error") return message;
    throw new Error(`${message.code}: ${message.message}`);
  }

  async receive() {
    return this.#unread.shift() ?? await this.#read();
  }

  async #read() {
    return (await this.messages.next()).value;
  }
}
