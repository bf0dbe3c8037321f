/** Passes UDP datagrams on between one client and a server, and does to them what a test asks for. */
export class UdpRelay implements Disposable {
  /** Where the client connects to. */
  readonly endpoint: string;
  /** Says which packets are lost. */
  lose: (packet: Uint8Array, direction: "up" | "down") => boolean = () => false;
  /** What the client has sent, in order, lost packets too. */
  readonly sent: Uint8Array<ArrayBuffer>[] = [];
  readonly #front: Deno.DatagramConn;
  #server: Deno.NetAddr;
  #back: Deno.DatagramConn;
  #client: Deno.Addr | undefined;

  /** Relays to a `quic` server on this machine. */
  constructor(server: string) {
    this.#server = addressOf(server);
    this.#front = bind();
    const { port } = this.#front.addr as Deno.NetAddr;
    this.endpoint = `quic://127.0.0.1:${port}`;
    this.#back = bind();
    void this.#up();
    void this.#down(this.#back);
  }

  /** The address under which the server sees the client. */
  get clientAddress(): string {
    return `127.0.0.1:${(this.#back.addr as Deno.NetAddr).port}`;
  }

  /** Relays to another server from now on. */
  lead(server: string): void {
    this.#server = addressOf(server);
  }

  /** Gives the client another address, as a NAT does that has forgotten it. */
  rebind(): void {
    this.#back.close();
    this.#back = bind();
    void this.#down(this.#back);
  }

  async #up(): Promise<void> {
    for await (const [packet, from] of this.#front) {
      this.#client = from;
      const copy = packet.slice();
      this.sent.push(copy);
      if (!this.lose(copy, "up")) await this.#back.send(copy, this.#server);
    }
  }

  async #down(back: Deno.DatagramConn): Promise<void> {
    for await (const [packet] of back) {
      if (this.lose(packet, "down")) continue;
      await this.#front.send(packet, this.#client!);
    }
  }

  [Symbol.dispose](): void {
    this.#front.close();
    this.#back.close();
  }
}

/** Sends packets to a `quic` server on this machine, from an address of their own. */
export async function sendUdp(
  server: string,
  packets: Uint8Array[],
): Promise<void> {
  const socket = bind();
  for (const packet of packets) await socket.send(packet, addressOf(server));
  socket.close();
}

function addressOf(server: string): Deno.NetAddr {
  const port = Number(server.slice(server.lastIndexOf(":") + 1));
  return { transport: "udp", hostname: "127.0.0.1", port };
}

function bind(): Deno.DatagramConn {
  return Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
}
