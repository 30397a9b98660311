#!/usr/bin/env python3
"""Checks the golden vectors with a reader of its own, written from docs/wire-protocol.md. Standard library only."""

import hashlib
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
MAX_FRAME = 4 * 1024 * 1024
MAX_DEPTH = 64
MAX_TOKENS = 100_000
HOST_TYPES = set("hello message credit detach cancel config_update context_update ping pong".split())
GUEST_TYPES = set(
    "heartbeat opened chunk progress tool_call tool_blocked error cancel_ack config_ack ping pong".split()
)
OPENERS = set("message cancel config_update context_update ping".split())
# Longest first, so that a string is one match and what it holds is no structure.
STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"?|[{}\[\],:]', re.DOTALL)


class Fault(Exception):
    """A broken rule; its text is the code."""


def encode(kind, ident, payload):
    text = json.dumps(
        {"type": kind, "id": ident, "payload": payload}, separators=(",", ":"), ensure_ascii=False
    ).encode("utf-8")
    return len(text).to_bytes(4, "big") + text


class Decoder:
    """Collects frames as (type, id, payload, size)."""

    def __init__(self):
        self.buffer = bytearray()
        self.frames = []

    def push(self, piece):
        self.buffer += piece
        while len(self.buffer) >= 4:
            length = int.from_bytes(self.buffer[:4], "big")
            if length > MAX_FRAME:
                raise Fault("frame_too_large")
            if length < 2:
                raise Fault("invalid_frame")
            if len(self.buffer) < 4 + length:
                return
            body = bytes(self.buffer[4 : 4 + length])
            del self.buffer[: 4 + length]
            self.frames.append(envelope(body) + (4 + length,))


def envelope(body):
    check_structure(body)
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=refuse)
    except ValueError:
        raise Fault("invalid_frame")
    if not isinstance(value, dict):
        raise Fault("invalid_frame")
    kind, ident, payload = value.get("type"), value.get("id", ""), value.get("payload")
    if not isinstance(kind, str) or not isinstance(ident, str):
        raise Fault("invalid_frame")
    if len(ident.encode("utf-16-le", "surrogatepass")) // 2 > 128:
        raise Fault("invalid_frame")
    if payload is None:
        payload = {}
    if not isinstance(payload, dict):
        raise Fault("invalid_frame")
    return kind, ident, payload


def check_structure(body):
    depth = tokens = 0
    for match in STRUCTURE.finditer(body):
        token = match.group()[:1]
        if token == b'"':
            continue
        tokens += 1
        depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(token, 0)
        if depth > MAX_DEPTH or tokens > MAX_TOKENS:
            raise Fault("invalid_frame")


def refuse(_):
    raise ValueError("no JSON")


def same(a, b):
    """Equality that tells True from 1, as JSON does."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def canonical(value):
    """RFC 8785."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(canonical(k) + ":" + canonical(value[k]) for k in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(float(value))
    return json.dumps(value, ensure_ascii=False)


def number(x):
    """A double as ECMAScript writes it: shortest digits, exponents from 1e21 up and from 1e-7 down."""
    if x == 0:
        return "0"
    sign = "-" if x < 0 else ""
    mantissa, _, exponent = repr(abs(x)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    k = len(digits)
    if k <= point <= 21:
        return sign + digits + "0" * (point - k)
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    e = point - 1
    return sign + digits[0] + ("." + digits[1:] if k > 1 else "") + "e" + ("+" if e > 0 else "-") + str(abs(e))


def stream(parts):
    return b"".join(bytes.fromhex(part["hex"]) * part.get("times", 1) for part in parts)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def check_frame(case):
    data = bytes.fromhex(case["hex"])
    decoder = Decoder()
    decoder.push(data)
    expect(len(decoder.frames) == 1, "not one frame")
    kind, ident, payload, size = decoder.frames[0]
    expect((kind, ident, size) == (case["type"], case["id"], len(data)), "envelope")
    expect(same(payload, case["payload"]), "payload")
    if case["written"]:
        expect(encode(case["type"], case["id"], case["payload"]) == data, "encoding")


def check_invalid(case):
    decoder = Decoder()
    try:
        decoder.push(stream(case["stream"]))
    except Fault as fault:
        expect(str(fault) == case["error"], f"{fault} instead of {case['error']}")
    else:
        expect(False, "accepted")


def check_stream(case):
    decoder = Decoder()
    for piece in case["pieces"]:
        decoder.push(stream(piece))
    expect(bool(decoder.buffer) == case["partial"], "partial")
    if "sizes" in case:
        expect([frame[3] for frame in decoder.frames] == case["sizes"], "sizes")
        return
    got = [{"type": kind, "id": ident, "payload": payload} for kind, ident, payload, _ in decoder.frames]
    expect(same(got, case["frames"]), "frames")


def check_digest(case):
    if "context_json" in case:
        entries = json.loads(case["context_json"])
        check_text(case, canonical({key: text for key, text in entries.items() if text != ""}))
        return
    config = json.loads(case["config_json"])
    policy = {"mode": case["mode"], "tools": sorted(case["tools"], key=lambda t: t.encode("utf-16-be"))}
    check_text(case, canonical({"config": {} if config is None else config, "tool_policy": policy}))


def check_text(case, text):
    expect(text == case["canonical"], f"canonical JSON is {text}")
    expect(hashlib.sha256(text.encode("utf-8")).hexdigest() == case["sha256"], "digest")


def check_hybrid(case):
    sent = b"".join(bytes.fromhex(s["hex"]) for s in case["steps"] if s["from"] == "host")
    expect(sent == b"CONNECT %d\n" % case["port"], "CONNECT")
    heard = b"".join(bytes.fromhex(s["hex"]) for s in case["steps"] if s["from"] == "vmm" and "hex" in s)
    ended = any(s.get("end") for s in case["steps"])
    line, newline, rest = heard[:32].partition(b"\n")
    rest += heard[32:]
    if not newline and len(heard) < 32:
        outcome, rest = ("closed" if ended else "deadline"), b""
    elif newline and re.fullmatch(rb"OK [0-9]{1,10}", line):
        outcome = "connected"
    else:
        outcome, rest = "refused", b""
    expect(outcome == case["outcome"], f"outcome {outcome}")
    expect(rest.hex() == case["rest"], "rest")


class Exchange:
    """The state of one exchange, as its host sees it."""

    def __init__(self, kind, payload, protocol):
        self.kind, self.protocol = kind, protocol
        self.limit = payload.get("credit")
        self.sent = 0
        self.next = None
        self.outcome = None

    def take(self, kind, payload, size):
        """Takes a frame of the guest; a broken rule is an AssertionError."""
        if self.outcome == "detached":
            return
        expect(self.outcome is None, "a frame after the terminal one")
        if self.limit is not None and not (kind == "error" and "sequence" not in payload):
            expect(self.sent < self.limit, "credit overrun")
            self.sent += size
        if self.kind == "message":
            self.outcome = self.message(kind, payload)
        elif kind == "error":
            self.outcome = "error:" + payload["code"]
        else:
            self.outcome = self.answer(kind, payload)

    def answer(self, kind, payload):
        wanted = {"cancel": "cancel_ack", "ping": "pong"}.get(self.kind, "config_ack")
        expect(kind == wanted, f"{kind} as answer to {self.kind}")
        if kind == "cancel_ack":
            return "found" if payload["found"] else "not found"
        if kind == "config_ack":
            if payload.get("retry"):
                expect(not payload["applied"], "applied, and to be pushed again")
                return "retry"
            return "applied" if payload["applied"] else "refused"
        return "pong"

    def message(self, kind, payload):
        if kind == "opened":
            expect(self.protocol == 2 and self.next is None, "opened")
            self.next = payload["next_sequence"]
            return None
        if kind == "progress":
            expect(self.next is not None, "progress before opened")
            return None
        expect(kind in ("chunk", "tool_call", "tool_blocked", "error"), f"{kind} as answer to message")
        if self.protocol == 2 and (kind != "error" or "sequence" in payload):
            expect(self.next is not None, "an event before opened")
            expect(payload.get("sequence") == self.next, "a gap")
            self.next += 1
        if kind == "error":
            return "error:" + payload["code"]
        if kind == "tool_blocked":
            return "tool_blocked"
        if kind == "chunk" and payload["done"]:
            expect(self.protocol == 1 or payload["content"] == "", "text in a done chunk")
            return "done"
        return None


def check_exchange(case):
    exchanges = {}
    outcomes = {}
    for step in case["steps"]:
        check_frame({**step, "written": True})
        kind, ident, payload = step["type"], step["id"], step["payload"]
        if step["from"] == "host":
            expect(kind in HOST_TYPES, "a type of the guest")
            if kind in OPENERS:
                expect(ident not in exchanges, "an id used twice")
                exchanges[ident] = Exchange(kind, payload, case["protocol"])
            elif kind == "credit":
                exchanges[ident].limit = max(exchanges[ident].limit, payload["limit"])
            elif kind == "detach":
                exchanges[ident].outcome = "detached"
        else:
            expect(kind in GUEST_TYPES, "a type of the host")
            if ident in exchanges:
                exchanges[ident].take(kind, payload, len(step["hex"]) // 2)
            elif kind == "error":
                expect(ident == "" and payload["code"] == "hello_refused", "an error for nobody")
                outcomes[""] = "error:hello_refused"
    first = case["steps"][0]
    expect(first["from"] == "guest" and first["type"] == "heartbeat", "the first frame is no heartbeat")
    expect(first["payload"].get("protocol", 1) == case["protocol"], "protocol")
    outcomes |= {ident: exchange.outcome for ident, exchange in exchanges.items()}
    expect(outcomes == case["outcomes"], f"outcomes {outcomes}")


CHECKS = {
    "frames": check_frame,
    "invalid": check_invalid,
    "streams": check_stream,
    "digests": check_digest,
    "hybrid": check_hybrid,
    "exchanges": check_exchange,
}


def main():
    failed = checked = 0
    for name, check in CHECKS.items():
        for case in json.loads((HERE / f"{name}.json").read_text("utf-8")):
            checked += 1
            try:
                check(case)
            except Exception as error:
                failed += 1
                print(f"{name}: {case['name']}: {type(error).__name__}: {error}")
    print(f"{checked} vectors checked, {failed} failed")
    return 1 if failed or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
