"""A client of the hub, as a module or a command: hub_client.py HOST PORT NAME [TEXT]

Takes the name; says the text to everybody, or without one prints what others say.
"""
import json, socket, struct, sys, threading, time

UNASKED = {"broadcast", "direct", "room_message", "gap", "name_lost", "going_away"}


def frame(message):
    payload = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    return struct.pack(">I", len(payload)) + payload


class HubClient:
    def __init__(self, host, port):
        self.file = socket.create_connection((host, port)).makefile("rwb")
        self.unread = []  # what came while an answer was waited for

    def send(self, **message):
        self.file.write(frame(message))
        self.file.flush()

    def ask(self, **request):
        self.send(**request)
        while (message := self.read())["type"] in UNASKED:
            self.unread.append(message)
        if message["type"] == "error":
            raise RuntimeError(f"{message['code']}: {message['message']}")
        return message

    def receive(self):
        return self.unread.pop(0) if self.unread else self.read()

    def read(self):
        return json.loads(self.exactly(*struct.unpack(">I", self.exactly(4))))

    def exactly(self, count):
        if len(data := self.file.read(count)) == count:
            return data
        raise EOFError("the hub has closed the connection")


def main(host, port, name, text=None):
    hub = HubClient(host, int(port))
    hub.ask(type="identify", name=name)
    print("connected", flush=True)
    if text is not None:
        return print("heard by", hub.ask(type="broadcast", content=text)["recipients"])
    def beat():  # who says nothing for ten minutes is taken for gone
        while not time.sleep(60):
            hub.send(type="ping")
    threading.Thread(target=beat, daemon=True).start()
    while message := hub.receive():
        if "content" in message:
            print(f"{message['from']}: {message['content']}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
