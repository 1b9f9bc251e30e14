#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Speak ZMTP 3.0 (NULL) and leat's frames without their libraries, and badly.

    zmtp.py ports N              a port such that N from it on are free
    zmtp.py noise ADDRESS SEED   all that is no ZMTP, and half of it
    zmtp.py frames ADDRESS TYPE SEED
                                 after a good handshake as TYPE (DEALER, ...):
                                 frames that are none of ours, or make no sense
    zmtp.py hold ADDRESS N HOW   N connections, open until stdin ends; HOW: open,
                                 greeting, ready
    zmtp.py version ADDRESS      a frame of another version: prints the answer
    zmtp.py hello ADDRESS NAME   join as an agent: prints the answer
    zmtp.py results ADDRESS BACK join as an agent; words of its about tickets
                                 that nobody gave it, and of agents that there
                                 are not, to the way BACK: prints how many more
                                 or less the broker has counted as late
    zmtp.py size ADDRESS BYTES   a chunk whose frame has so many bytes, and then
                                 an Ask: prints "answered" or "closed"
    zmtp.py steal ADDRESS        pull from a lane that is an agent's: prints
                                 "refused" or what was dealt
    zmtp.py deaf ADDRESS N       N looks of run 1, whose answers are not read;
                                 until stdin ends
    zmtp.py relay PORT N         127.0.0.2 stands for 127.0.0.1 at so many ports,
                                 until stdin ends; a line there: nothing passes
                                 any more, another one: all does again
    zmtp.py serve PORT HOW       a broker that is none: silent, garbage, http,
                                 keys, version, welcome, closes; until stdin
                                 ends

ADDRESS: tcp://127.0.0.1:PORT or ipc://PATH.
"""

import ctypes
import json
import os
import random
import socket
import struct
import sys
import threading
import time

VERSION = 1
LANE, RETURN, HELLO, WELCOME, SUBMIT, CHUNK, BLOB, ANSWER, ASK, LOOK, SEEN = range(1, 12)
FRAME = 1 << 20  # LIMIT_FRAME_BYTES
WAIT = 10

xxhash = ctypes.CDLL("libxxhash.so.0")
xxhash.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
xxhash.XXH3_64bits.restype = ctypes.c_uint64


# ---- protobuf and our envelope ----

def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, list):
        value = b"".join(varint(n) for n in value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(**fields):
    return b"".join(field(int(name[1:]), value) for name, value in fields.items())


def frame(kind, body, version=VERSION, magic=b"lT", check=None, length=None):
    if check is None:
        check = xxhash.XXH3_64bits(body, len(body)) & 0xFFFFFFFF
    length = len(body) if length is None else length
    return magic + struct.pack("<BBII", version, kind, length, check) + body


def parse(body):
    """The fields of a message: number to last value."""
    at, fields = 0, {}

    def number():
        nonlocal at
        n = shift = 0
        while True:
            byte = body[at]
            at += 1
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return n

    while at < len(body):
        key = number()
        if key & 7 == 0:
            fields[key >> 3] = number()
        elif key & 7 == 2:
            n = number()
            fields[key >> 3] = body[at:at + n]
            at += n
        else:
            at += 8 if key & 7 == 1 else 4
    return fields


# ---- ZMTP ----

GREETING = (b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") +
            bytes(32))


def command(name, body=b""):
    body = bytes([len(name)]) + name + body
    if len(body) < 256:
        return b"\x04" + bytes([len(body)]) + body
    return b"\x06" + struct.pack(">Q", len(body)) + body


def ready(kind):
    out = b""
    for name, value in ((b"Socket-Type", kind.encode()), (b"Identity", b"")):
        out += bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
    return command(b"READY", out)


def part(data, more=False):
    if len(data) < 256:
        return bytes([1 if more else 0, len(data)]) + data
    return bytes([3 if more else 2]) + struct.pack(">Q", len(data)) + data


def connect(address):
    if address.startswith("ipc://"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        target = address[6:]
    else:
        host, port = address[6:].rsplit(":", 1)
        sock = socket.socket()
        target = (host, int(port))
    sock.settimeout(WAIT)
    sock.connect(target)
    return sock


class Peer:
    """A connection whose handshake is done."""

    def __init__(self, sock, kind):
        self.sock = sock
        sock.sendall(GREETING)
        self.exactly(64)
        sock.sendall(ready(kind))
        flags, body = self.raw()
        assert flags & 4 and body.startswith(b"\x05READY"), body

    def exactly(self, n):
        out = b""
        while len(out) < n:
            got = self.sock.recv(n - len(out))
            if not got:
                raise ConnectionError("closed")
            out += got
        return out

    def raw(self):
        flags = self.exactly(1)[0]
        n = (struct.unpack(">Q", self.exactly(8))[0] if flags & 2
             else self.exactly(1)[0])
        return flags, self.exactly(n)

    def receive(self):
        """The next message's last part."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            flags, body = self.raw()
            if flags & 4:
                if body.startswith(b"\x04PING"):
                    self.sock.sendall(command(b"PONG", body[7:]))
            elif not flags & 1:
                return body
        raise TimeoutError("no answer")

    def send(self, *parts):
        for i, data in enumerate(parts):
            self.sock.sendall(part(data, i + 1 < len(parts)))


def join(address, kind="DEALER"):
    return Peer(connect(address), kind)


# ---- what is no ZMTP ----

def noise(address, seed):
    rnd = random.Random(seed)
    ready_dealer = ready("DEALER")
    kinds = [
        b"", b"\0", b"\xff", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"SSH-2.0-OpenSSH_9.2\r\n", bytes(10000), b"\xff" * 10000,
        # older protocols: ZMTP 1.0 (identity, a message), 2.0
        b"\x01\x00" + b"\x05\x00abcd", b"\xff" + bytes(7) + b"\x01\x7f\x01\x05\x00\x00",
        b"\xff" + bytes(7) + b"\x01\x7f\x02", GREETING[:10], GREETING[:11],
        GREETING[:63], GREETING, GREETING[:10] + b"\x09" + GREETING[11:],
        GREETING[:12] + b"CURVE".ljust(20, b"\0") + GREETING[32:],
        GREETING[:12] + b"PLAIN".ljust(20, b"\0") + GREETING[32:],
        GREETING + ready_dealer[:5],
        GREETING + command(b"READY", b"\xff" * 20),
        GREETING + command(b"READY", b"\x0bSocket-Type\xff\xff\xff\xffDEALER"),
        GREETING + ready("NONSENSE"), GREETING + ready("SUB"),
        GREETING + ready("ROUTER"), GREETING + command(b"ERROR", b"\xff"),
        GREETING + command(b"x" * 250), GREETING + part(b"no handshake"),
        GREETING + b"\x06" + struct.pack(">Q", 1 << 62),
        GREETING + b"\x02" + struct.pack(">Q", (1 << 64) - 1),
    ]
    kinds += [rnd.randbytes(rnd.choice([1, 9, 10, 64, 1000, 70000]))
              for _ in range(20)]
    kinds += [GREETING + rnd.randbytes(rnd.choice([1, 10, 1000])) for _ in range(20)]
    for bad in kinds:
        sock = connect(address)
        sock.settimeout(0.02)
        try:
            sock.sendall(bad)
            sock.recv(4096)
            sock.recv(4096)
        except OSError:
            pass
        sock.close()


# ---- frames that are none, or make no sense ----

def spoil(rnd, data):
    data = bytearray(data)
    for _ in range(rnd.randint(1, 4)):
        if data:
            data[rnd.randrange(len(data))] = rnd.randrange(256)
    return bytes(data)


def strange(rnd):
    """Messages that are right by themselves, and ones that are not."""
    hash32 = bytes(32)
    good = [
        (RETURN, message(_1=12345, _2=1, _3=[1, 2, 3], _4=[10, 0, 0], _5=[1, 1, 1])),
        (RETURN, message(_1=0, _7=[7], _8=[9])),
        (RETURN, message(_1=9 << 40 | 77 << 8, _11=1)),
        (RETURN, message(_1=9 << 40 | 77 << 8, _2=1, _6=message(_1=4000000, _2=6))),
        (RETURN, message(_1=9 << 40 | 77 << 8, _9=message(_1=99999, _2=1, _4=b"x" * 999))),
        (LANE, message(_13=7)), (LANE, message(_12=1)), (LANE, message(_14=1)),
        (LANE, message(_8=[1, 2, 3])),
        (WELCOME, message(_1=1, _2=1, _3=1, _4="tcp://127.0.0.1:1", _5="tcp://127.0.0.1:1")),
        (CHUNK, message(_1=5, _2=0, _3=b"x")),
        (CHUNK, message(_1=5, _2=1 << 27, _3=b"x")),
        (SUBMIT, message(_1=6, _7=100, _8=hash32)),
        (SUBMIT, message(_1=6, _7=100, _8=hash32)),
        (SUBMIT, message(_1=7, _7=256 << 20, _8=hash32)),
        (SUBMIT, message(_1=8, _7=3, _8=hash32, _5=b"{", _6=b"[[[")),
        (CHUNK, message(_1=8, _3=b"abc")),
        (BLOB, message(_1=9, _2=hash32, _3=1 << 20)),
        (BLOB, message(_1=9, _2=hash32, _4=1 << 20)),
        (ANSWER, message(_1=1)), (SEEN, message(_1=1)),
        (LOOK, message(_1=10, _2=(1 << 64) - 1, _5=1, _6=1, _7=1)),
        (LOOK, message(_1=10, _2=1, _3=1 << 60, _4=1 << 62, _5=1, _6=1)),
        (LOOK, message(_1=10, _2=1, _4=(1 << 64) - 1, _6=1, _8=1)),
        (ASK, message(_1=11)), (ASK, message(_1=11, _2=1, _4="\x01\x1b[2J%s%n")),
        (ASK, message(_1=11, _2=9, _3=1 << 63, _4="x" * 4096)),
        (ASK, message(_1=11, _2=8, _4="nobody")),
        (ASK, message(_1=11, _2=2, _5=(1 << 64) - 1)),
        (ASK, message(_1=11, _2=200)),
    ]
    for kind, body in good:
        yield [frame(kind, body)]
        yield [frame(kind, spoil(rnd, body))]
        yield [spoil(rnd, frame(kind, body))]
        yield [frame(kind, body[:rnd.randrange(len(body) + 1)])]
        yield [frame(kind, body), frame(kind, body)]
    for kind in (0, 12, 255):
        yield [frame(kind, b"")]
    for kind in range(1, 12):
        yield [frame(kind, rnd.randbytes(rnd.choice([0, 1, 20, 3000])))]
        # nested and repeated without end
        yield [frame(kind, field(1, field(1, field(1, b"x" * 50))) * 2000)]
        yield [frame(kind, field(6, b"") * 300000)]
    yield [b""]
    yield [b"", b"", b""]
    yield [b"lT"]
    yield [frame(ASK, b"", magic=b"LT")]
    yield [frame(ASK, message(_1=1), check=1)]
    yield [frame(ASK, message(_1=1), length=0)]
    yield [frame(ASK, message(_1=1), length=0xFFFFFFFF)]
    yield [frame(ASK, message(_1=1), version=0)]
    yield [frame(ASK, message(_1=1), version=255)]


def frames(address, kind, seed):
    rnd = random.Random(seed)
    peer = None
    sent = 0
    for parts in strange(rnd):
        try:
            peer = peer or join(address, kind)
            peer.send(*parts)
            sent += 1
        except OSError:  # closed: that is an answer
            peer = None
    # all has been taken
    if peer:
        peer.sock.shutdown(socket.SHUT_WR)
        try:
            while peer.sock.recv(65536):
                pass
        except OSError:
            pass
    # longer than any frame may be: the connection ends
    for n in (FRAME + 1, FRAME * 3, 1 << 40):
        peer = join(address, kind)
        try:
            peer.sock.sendall(b"\x02" + struct.pack(">Q", n) + bytes(1000))
            while peer.sock.recv(4096):
                pass
        except OSError:
            pass
    print(sent)


def hold(address, n, how):
    held = []
    for _ in range(n):
        sock = connect(address)
        if how == "greeting":
            sock.sendall(GREETING)
        elif how == "ready":
            Peer(sock, "DEALER")
        held.append(sock)
    print("held", flush=True)
    sys.stdin.read()


def show(body):
    fields = parse(body[12:])
    print(body[3], fields.get(2), fields.get(3, b"").decode()
          if body[3] == ANSWER and isinstance(fields.get(3), bytes) else "")


def version(address):
    peer = join(address)
    peer.send(frame(ASK, message(_1=1), version=VERSION + 1))
    show(peer.receive())


def hello(address, name):
    peer = join(address)
    peer.send(frame(HELLO, message(_1=1, _2=name, _3="elsewhere", _4=1, _5=77,
                                   _6=1, _9="0")))
    show(peer.receive())


def late(peer):
    peer.send(frame(ASK, message(_1=1)))
    return json.loads(parse(peer.receive()[12:])[5])["late"]


def results(address, back):
    peer = join(address)
    peer.send(frame(HELLO, message(_1=1, _2="liar", _3="x", _4=1, _5=77, _6=1,
                                   _9="1")))
    session = parse(peer.receive()[12:])[2]
    before = late(peer)
    teller = join(back, "PUSH")
    told = 0
    for agent in (session, session + (1 << 40), session ^ 256, 0):
        for ticket in (8000, 8001, 1 << 20, (1 << 32) - 1):
            for state in range(6, 14):  # the ends
                teller.send(frame(RETURN, message(
                    _1=agent, _2=1, _6=message(_1=ticket, _2=state, _3=b"1"))))
            teller.send(frame(RETURN, message(
                _1=agent, _2=1, _3=[ticket] * 3, _4=[2, 0, 0], _5=[1, 1, 1])))
            teller.send(frame(RETURN, message(_1=agent, _7=[ticket], _8=[ticket])))
            teller.send(frame(RETURN, message(
                _1=agent, _9=message(_1=ticket, _2=1, _3=2, _4=b"words"))))
            told += 8 + 3 + 2 + 1
    end = time.monotonic() + WAIT
    while late(peer) - before < told and time.monotonic() < end:
        pass
    print(late(peer) - before - told)
    teller.send(frame(RETURN, message(_1=session, _11=1)))  # it leaves


def size(address, n):
    peer = join(address)
    body = field(3, b"x" * (n - 12 - 4))
    whole = frame(CHUNK, body)
    assert len(whole) == n, len(whole)
    try:
        peer.send(whole)
        peer.send(frame(ASK, message(_1=1)))
        peer.receive()
        print("answered")
    except OSError as err:
        print("no answer" if isinstance(err, TimeoutError) else "closed")


def steal(address):
    def try_as(mechanism, first):
        sock = connect(address)
        try:
            sock.sendall(GREETING[:12] + mechanism.ljust(20, b"\0") + GREETING[32:])
            sock.sendall(first)
            got = b"x"
            while got:
                got = sock.recv(65536)
                if b"lT" in got:
                    return got
        except OSError:
            pass
        return None

    guesses = [b"", b"0" * 16, b"1", b"leat"]
    tries = [(b"NULL", ready("PULL"))]
    tries += [(b"PLAIN", command(b"HELLO", b"\x04lane" + bytes([len(g)]) + g))
              for g in guesses]
    print(next((got for got in (try_as(*t) for t in tries) if got), "refused"))


def deaf(address, n):
    peer = join(address)
    for i in range(n):
        peer.send(frame(LOOK, message(_1=i + 1, _2=1, _5=1, _6=1)))
    print("sent", flush=True)
    sys.stdin.read()


# ---- a broker that is none ----

def play(sock, how):
    try:
        if how == "closes":
            sock.close()
            return
        if how == "silent":
            sock.recv(1)
            threading.Event().wait()
        if how == "keys":  # libzmq gives such a peer up for good
            sock.sendall(GREETING[:12] + b"CURVE".ljust(20, b"\0") + GREETING[32:])
            while sock.recv(4096):
                pass
            return
        if how == "http":
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            sock.recv(4096)
            sock.close()
            return
        peer = Peer(sock, "ROUTER")
        rnd = random.Random(1)
        while True:
            tag = parse(peer.receive()[12:]).get(1, 0)
            if how == "version":
                peer.send(frame(ANSWER, message(_1=tag), version=VERSION + 1))
            elif how == "welcome":  # to places that are none, of tickets it has not
                peer.send(frame(WELCOME, message(_1=tag, _2=1, _3=1, _4=":1",
                                                 _5="nonsense", _6=[1, 2])))
                peer.send(frame(WELCOME, message(_1=tag, _2=1, _3=1, _4=":1",
                                                 _5="nonsense")))
            else:
                peer.send(rnd.randbytes(100))
                for kind in range(1, 12):
                    peer.send(frame(kind, rnd.randbytes(50)))
                    peer.send(frame(kind, message(_1=tag)))
    except (OSError, AssertionError):
        pass


def serve(port, how):
    listener = socket.create_server(("127.0.0.1", port))

    def accept():
        while True:
            sock, _ = listener.accept()
            print("accepted", flush=True)
            threading.Thread(target=play, args=(sock, how), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


# ---- a network that breaks without anybody being told ----

def pass_on(source, target, open_):
    try:
        while data := source.recv(65536):
            open_.wait()
            target.sendall(data)
        open_.wait()
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def relay_one(sock, port, open_):
    open_.wait()
    try:
        far = socket.create_connection(("127.0.0.1", port))
    except OSError:
        sock.close()
        return
    threading.Thread(target=pass_on, args=(far, sock, open_), daemon=True).start()
    pass_on(sock, far, open_)


def relay(port, n):
    open_ = threading.Event()
    open_.set()

    def accept(listener, port):
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=relay_one, args=(sock, port, open_),
                             daemon=True).start()

    for at in range(port, port + n):
        listener = socket.create_server(("127.0.0.2", at))
        threading.Thread(target=accept, args=(listener, at), daemon=True).start()
    print("there", flush=True)
    for _ in sys.stdin:
        if open_.is_set():
            open_.clear()
        else:
            open_.set()
        print("open" if open_.is_set() else "cut", flush=True)


def ports(n):
    rnd = random.Random(os.getpid())
    while True:
        first = rnd.randrange(20000, 32000)
        held = []
        try:
            for port in range(first, first + n):
                held.append(socket.create_server(("127.0.0.1", port)))
        except OSError:
            continue
        finally:
            for sock in held:
                sock.close()
        print(first)
        return


def main(what, *args):
    globals()[what](*(int(a) if a.isdigit() else a for a in args))


if __name__ == "__main__":
    main(*sys.argv[1:])
