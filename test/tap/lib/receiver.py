#!/usr/bin/env python3
"""Receivers of notifications for the tests, on loopback.

  receiver.py http DIR [CERT KEY]       an HTTP server (HTTPS with a certificate)
  receiver.py smtp DIR [CERT KEY] [implicit] [auth] [plain]

Prints the port that the kernel gave it. Every request is a line of JSON in
DIR/requests. What an HTTP request gets follows from the last word of its path,
or, for /by/NAME, from the file DIR/NAME:

  ok 200 201 202 204 301 400 404 410 429 429:SECONDS 429:date 500 503
  hang        never answers
  cut         closes without an answer
  half        closes in the middle of the answer
  stream      a gigabyte of body
  headers     a megabyte of headers
  trickle     a byte of body a second
  json        200 and {"ok":false}
  slow:S      ok after S seconds
"""
import base64
import email.utils
import json
import os
import socket
import ssl
import sys
import threading
import time

kind, directory = sys.argv[1:3]
rest = sys.argv[3:]
words = [w for w in rest if w in ("implicit", "auth", "plain")]
files = [w for w in rest if w not in words]
lock = threading.Lock()
context = None
if len(files) == 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[0], files[1])


def note(**what):
    what["at"] = time.time()
    with lock, open(os.path.join(directory, "requests"), "a") as out:
        out.write(json.dumps(what) + "\n")


def mode_of(path):
    path = path.split("?")[0]
    parts = path.strip("/").split("/")
    if len(parts) >= 2 and parts[-2] == "by":
        try:
            with open(os.path.join(directory, parts[-1])) as f:
                return f.read().strip()
        except OSError:
            return "ok"
    return parts[-1]


def send_answer(stream, status, body=b"", headers=()):
    lines = ["HTTP/1.1 %d X" % status, "Content-Length: %d" % len(body)]
    lines += list(headers)
    stream.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)


def answer(stream, mode):
    """Answers; returns whether the connection may go on."""
    if mode == "hang":
        time.sleep(120)
        return False
    if mode == "cut":
        return False
    if mode == "half":
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok")
        return False
    if mode == "stream":
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        sent = 0
        try:
            while sent < 1000000000:
                sent += stream.send(b"x" * 65536)
        except OSError:
            pass
        note(streamed=sent)
        return False
    if mode == "headers":
        try:
            stream.sendall(b"HTTP/1.1 200 OK\r\n")
            for i in range(1000):
                stream.sendall(b"X-H%d: " % i + b"y" * 1000 + b"\r\n")
            stream.sendall(b"Content-Length: 2\r\n\r\nok")
        except OSError:
            pass
        return False
    if mode == "trickle":
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        try:
            for _ in range(100):
                stream.sendall(b"x")
                time.sleep(1)
        except OSError:
            pass
        return False
    if mode.startswith("slow:"):
        time.sleep(float(mode[5:]))
        mode = "ok"
    if mode == "json":
        send_answer(stream, 200, b'{"ok":false,"error":"x"}')
    elif mode == "301":
        send_answer(stream, 301, b"", ["Location: http://127.0.0.1:%d/redirected/ok" % port])
    elif mode.startswith("429:"):
        after = mode[4:]
        if after == "date":
            after = email.utils.formatdate(time.time() + 3, usegmt=True)
        send_answer(stream, 429, b"", ["Retry-After: " + after])
    elif mode.isdigit():
        send_answer(stream, int(mode), b"" if mode == "204" else b'{"status":"success"}')
    else:
        send_answer(stream, 200, b"ok")
    return True


def read_request(stream, buffer):
    while b"\r\n\r\n" not in buffer:
        more = stream.recv(65536)
        if not more:
            return None, buffer
        buffer += more
    head, buffer = buffer.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ")
    headers = [line.split(": ", 1) for line in lines[1:]]
    length = 0
    for name, value in headers:
        if name.lower() == "content-length":
            length = int(value)
    while len(buffer) < length:
        more = stream.recv(65536)
        if not more:
            return None, buffer
        buffer += more
    return (method, path, headers, buffer[:length]), buffer[length:]


def serve_http(stream):
    buffer = b""
    while True:
        request, buffer = read_request(stream, buffer)
        if request is None:
            return
        method, path, headers, body = request
        mode = mode_of(path)
        note(method=method, path=path, headers=headers, mode=mode,
             body=body.decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode(),
             body64=base64.b64encode(body).decode())
        if not answer(stream, mode):
            return


def serve_smtp(stream):
    tls = "implicit" in words
    user = None
    mail = {"rcpt": []}

    def say(line):
        stream.sendall(line.encode() + b"\r\n")

    file = stream.makefile("rb")

    def mode():
        try:
            with open(os.path.join(directory, "smtp")) as f:
                return f.read().strip()
        except OSError:
            return "ok"

    note(connected=True)
    if mode() == "hang":
        time.sleep(120)
        return
    if mode() == "421":
        say("421 busy")
        return
    say("220 test ESMTP")
    while True:
        line = file.readline()
        if not line:
            return
        line = line.decode("latin-1").rstrip("\r\n")
        verb = line.split(" ")[0].split(":")[0].upper()
        if verb in ("EHLO", "HELO"):
            extra = []
            if context and not tls and "plain" not in words:
                extra.append("STARTTLS")
            if "auth" in words:
                extra.append("AUTH PLAIN LOGIN")
            extra = ["test"] + extra + ["8BITMIME"]
            for item in extra[:-1]:
                say("250-" + item)
            say("250 " + extra[-1])
        elif verb == "STARTTLS":
            say("220 go")
            stream = context.wrap_socket(stream, server_side=True)
            file = stream.makefile("rb")
            tls = True
        elif verb == "AUTH":
            parts = line.split(" ")
            if parts[1].upper() == "PLAIN":
                if len(parts) < 3:
                    say("334 ")
                    given = file.readline().decode().strip()
                else:
                    given = parts[2]
                user = base64.b64decode(given).decode().split("\0")[1:]
            else:
                say("334 VXNlcm5hbWU6")
                name = base64.b64decode(file.readline()).decode()
                say("334 UGFzc3dvcmQ6")
                user = [name, base64.b64decode(file.readline()).decode()]
            if user == ["dba", "s3cr3t-pass"]:
                say("235 in")
            else:
                note(auth=user)
                say("535 no")
        elif verb == "MAIL":
            mail = {"from": line, "rcpt": []}
            if "auth" in words and user is None:
                say("530 log in")
            else:
                say("451 later" if mode() == "451" else "250 ok")
        elif verb == "RCPT":
            if mode() == "550" or "nobody@" in line:
                say("550 no such user")
            else:
                mail["rcpt"].append(line)
                say("250 ok")
        elif verb == "DATA":
            if not mail["rcpt"]:
                say("503 no")
                continue
            say("354 go on")
            body = b""
            while True:
                got = file.readline()
                if not got or got == b".\r\n":
                    break
                body += got[1:] if got.startswith(b".") else got
            note(mail_from=mail["from"], rcpt=mail["rcpt"], tls=tls, user=user,
                 data=body.decode("latin-1"))
            if mode() == "cut":
                return
            say("250 queued")
        elif verb == "QUIT":
            say("221 bye")
            return
        else:
            say("250 ok")


def serve(stream):
    try:
        if context and (kind == "http" or "implicit" in words):
            stream = context.wrap_socket(stream, server_side=True)
        (serve_http if kind == "http" else serve_smtp)(stream)
    except (OSError, ValueError) as e:
        note(error=type(e).__name__ + ": " + str(e))
    finally:
        try:
            stream.close()
        except OSError:
            pass


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", 0))
listener.listen(128)
port = listener.getsockname()[1]
print(port, flush=True)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
