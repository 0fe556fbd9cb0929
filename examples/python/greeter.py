"""A dRPC client from Python's standard library alone: python3 greeter.py /run/greeter.sock World"""
import socket
import struct
import sys

HEADER = struct.Struct("=QQII")  # bytes in the message, bytes in this packet, its index, number of packets
CHUNK = (1 << 17) - HEADER.size

def varint(number):
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([number])

def encode(fields):  # a protobuf message, from {field number: int or bytes}
    return b"".join(varint(key << 3) + varint(value & (1 << 64) - 1) if isinstance(value, int)
                    else varint(key << 3 | 2) + varint(len(value)) + value for key, value in fields.items())

def decode(message):  # the reverse
    fields, rest = {}, iter(message)
    def number():
        byte = next(rest)
        return byte & 0x7F | number() << 7 if byte > 0x7F else byte
    while (key := next(rest, None)) is not None:
        key = key & 0x7F | number() << 7 if key > 0x7F else key
        fixed = {1: 8, 5: 4}.get(key & 7)  # doubles and floats, as bytes
        fields[key >> 3] = number() if key & 7 == 0 else bytes(next(rest) for _ in range(fixed or number()))
    return fields

class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(path)
        self.sequence = 0

    def call(self, module, method, body=b""):
        self.sequence += 1  # 1001 asks for an error's text, which comes as field 1000
        self.send(encode({1: module, 2: method, 3: self.sequence, 4: body, 1001: 1}))
        response = decode(self.receive())
        if response.get(2, 0) != 0:
            raise RuntimeError(f"status {response[2]}: {response.get(1000, b'').decode()}")
        if response.get(1) != self.sequence:
            raise RuntimeError("the response is to another call")
        return response.get(3, b"")

    def send(self, message):
        chunks = [message[at:at + CHUNK] for at in range(0, len(message), CHUNK)]
        for index, chunk in enumerate(chunks):
            self.socket.send(HEADER.pack(len(message), len(chunk), index, len(chunks)) + chunk)

    def receive(self):
        chunks, count = [], 1
        while len(chunks) < count:
            packet = self.socket.recv(1 << 17)
            if not packet:
                raise ConnectionError("the server closed the connection")
            count = HEADER.unpack_from(packet)[3]
            chunks.append(packet[HEADER.size:])
        return b"".join(chunks)

if __name__ == "__main__":
    reply = Client(sys.argv[1]).call(5, 501, encode({1: sys.argv[2].encode()}))  # hello.Hello { name }
    print(decode(reply)[1].decode())  # hello.HelloResponse { greeting }
