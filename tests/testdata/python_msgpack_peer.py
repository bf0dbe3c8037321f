"""Answers MessagePack frames with a 4-byte big-endian length on stdin and stdout.

Each answer is [type name, repr] of the value as Python sees it, and the value again.
"""

import struct
import sys

import msgpack


def main():
    reader, writer = sys.stdin.buffer, sys.stdout.buffer
    while header := reader.read(4):
        (length,) = struct.unpack(">I", header)
        value = msgpack.unpackb(reader.read(length), timestamp=3)
        answer = [type(value).__name__, repr(value), value]
        payload = msgpack.packb(answer, datetime=True)
        writer.write(struct.pack(">I", len(payload)) + payload)
        writer.flush()


main()
