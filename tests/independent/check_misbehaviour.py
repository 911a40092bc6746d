#!/usr/bin/env python3
"""Judges Claimtrail misbehaviour files without any of its code: the standard library and an Ed25519 module.

    check_misbehaviour.py FILE            exit 0 proven, 1 not proven, 2 malformed; 64 usage, 66 no such file
    check_misbehaviour.py --vectors FILE  a file of known answers; exit 1 when one differs
Format: docs/formats.md, "Misbehaviour file". Links and rules are in misbehaviour_rules.py.
"""
import base64
import json
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from read_log import sha

SHAPES = {"same-size": (2, 0, 0, 0, 0), "inconsistent": (2, 1, 0, 0, 0), "two-entries": (2, 0, 2, 0, 0), "time-back": (1, 0, 0, 2, 2),
          "head-time": (2, 0, 0, 1, 1), "duplicate-claim": (1, 0, 0, 2, 2), "after-freeze": (1, 0, 0, 2, 2),
          "wrong-link": (1, 0, 0, 1, 256), "broken-rule": (1, 0, 0, 1, 256)}
P = 2 ** 255 - 19
D = -121665 * pow(121666, P - 2, P) % P


class Malformed(Exception):
    """Not a misbehaviour file."""


class NotProven(Exception):
    """No contradiction."""


def need(condition, what, error=Malformed):
    if not condition:
        raise error(what)


def b64(text, length=None):
    need(isinstance(text, str) and text.isascii(), "base64")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Malformed("base64") from None
    need(base64.b64encode(data).decode() == text and length in (None, len(data)), "base64")
    return data


def decimal(text):
    need(isinstance(text, str) and re.fullmatch("0|[1-9][0-9]{0,18}", text) and int(text) < 2 ** 63, "decimal")
    return int(text)


def good_point(raw):
    """Strict Ed25519 wants canonical points, none of small order."""
    y = int.from_bytes(raw, "little") & (2 ** 255 - 1)
    if y >= P or y in (0, 1, P - 1):
        return False
    # The four points of order 8 have y^4·D + 2·y^2 = 1; the others of small order are those above.
    return (D * pow(y, 4, P) + 2 * y * y - 1) % P != 0


def signed(public, signature, message):
    if len(signature) != 64 or not good_point(public) or not good_point(signature[:32]):
        return False
    try:
        return Ed25519PublicKey.from_public_bytes(public).verify(signature, message) is None
    except (InvalidSignature, ValueError):
        return False


# --- the file ---------------------------------------------------------------------------------------------------------

def name_ok(name):
    return name != "" and not any(c.isspace() and c not in "\x1c\x1d\x1e\x1f" or c == "+" or c < " " for c in name)


def parse(raw):
    try:
        doc = json.loads(raw.decode())
        need(len(raw) <= 8 << 20 and isinstance(doc, dict) and doc.get("format") == "claimtrail-misbehaviour/1", "format")
        order = [m for m in ("format", "kind", "origin", "accused", "heads", "alternative", "leaves", "entries") if m in doc]
        need(len(order) == len(doc) and all(m not in doc or doc[m] for m in ("alternative", "leaves", "entries")), "members")
        doc = {m: doc[m] for m in order}
        for item, members in [(i, ("index", part, "proof")) for part, l in (("leaf", "leaves"), ("entry", "entries"))
                              for i in doc.get(l, [])] + [(a, ("root", "proof")) for a in [doc.get("alternative")] if a]:
            need(tuple(item) == members and len(item["proof"]) <= 64 and [b64(h, 32) for h in item["proof"]] is not None, "part")
        text = json.dumps(doc, ensure_ascii=False, separators=(",", ":")) + "\n"
        need(text.encode() == raw, "not the one encoding")
        return read(doc)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as why:
        raise Malformed(str(why)) from None


def read(doc):
    kind, origin, heads = doc["kind"], doc["origin"], doc["heads"]
    name, key_hash, data = doc["accused"].split("+", 2)
    data = b64(data, 33)
    need(name_ok(name) and sha(name.encode(), b"\n", data)[:4].hex() == key_hash and good_point(data[1:]), "accused key")
    need(0 < len(origin.encode()) <= 255 and not any(c < " " for c in origin), "origin")
    party = {1: "log" if name == origin else None, 4: "log-time" if name == origin + "/time" else "witness"}.get(data[0])
    need(data[0] != 4 or len(name.encode()) <= 255, "name")
    hashes = kind in ("same-size", "inconsistent", "two-entries")
    need(party and (party == "log-time" if kind == "head-time" else hashes or party == "log"), "accused party")
    n, alternative, leaves, least, most = SHAPES[kind]
    entries = [(decimal(e["index"]), b64(e["entry"]), [b64(h) for h in e["proof"]]) for e in doc.get("entries", [])]
    need(len(heads) == n and ("alternative" in doc) == bool(alternative) and len(doc.get("leaves", [])) == leaves
         and least <= len(entries) <= most and all(len(e[1]) <= 65535 for e in entries), "parts")
    about = kind in ("wrong-link", "broken-rule", "after-freeze")
    order = [e[0] for e in entries][about:]
    need(order == sorted(set(order)) and (not about or entries[0][0] not in order), "order")
    doc.update(party=party, key=data, notes=[note(head, name, key_hash) for head in heads], shown=entries,
               leaves=[(decimal(l["index"]), b64(l["leaf"], 32), [b64(h) for h in l["proof"]]) for l in doc.get("leaves", [])])
    if alternative:
        doc["alternative"] = b64(doc["alternative"]["root"], 32), [b64(h) for h in doc["alternative"]["proof"]]
    return doc


def note(head, name, key_hash):
    need(len(head.encode()) <= 65536 and not any(c < " " and c != "\n" for c in head) and head.endswith("\n"), "head")
    text, line = head.rsplit("\n\n", 1)
    match = re.fullmatch("\u2014 ([^ ]+) ([^ ]+)\n", line)
    need(match and match[1] == name, "one line of the accused")
    blob = b64(match[2])
    need(len(blob) > 4 and blob[:4].hex() == key_hash, "one line of the accused")
    return text + "\n", blob[4:]


def head(doc, n):
    (text, blob), time = doc["notes"][n], None
    message = text.encode()
    if doc["key"][0] == 4:
        time, message = int.from_bytes(blob[:8], "big"), b"cosignature/v1\ntime %d\n" % int.from_bytes(blob[:8], "big") + message
        need(0 < time < 2 ** 63, "time", NotProven)
        blob = blob[8:]
    need(signed(doc["key"][1:], blob, message), "the accused did not sign", NotProven)
    try:
        lines = text[:-1].split("\n")
        need(lines[0] == doc["origin"] and len(lines) < 20 and all(lines), "origin")
        size, root = decimal(lines[1]), b64(lines[2], 32)
        need(size > 0 or root == sha(b""), "empty root")
    except (Malformed, IndexError):
        raise NotProven("no checkpoint") from None
    return size, root, time


# --- proofs, RFC 9162 -------------------------------------------------------------------------------------------------

def included(index, size, leaf, proof, root):
    need(index < size, "index", NotProven)
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        need(sn, "proof too long", NotProven)
        if fn & 1 or fn == sn:
            r = sha(b"\1", p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha(b"\1", r, p)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and r == root, "inclusion", NotProven)


def consistent(m, n, old, new, proof):
    need(0 < m < n and proof, "sizes", NotProven)
    proof = ([old] if m & (m - 1) == 0 else []) + proof
    fn, sn = m - 1, n - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        need(sn, "proof too long", NotProven)
        if fn & 1 or fn == sn:
            fr, sr = sha(b"\1", c, fr), sha(b"\1", c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = sha(b"\1", sr, c)
        fn, sn = fn >> 1, sn >> 1
    need(fr == old and sr == new and sn == 0, "consistency", NotProven)


# --- the kinds --------------------------------------------------------------------------------------------------------

def contradiction(doc):
    """Returns the code of the broken rule, or nothing; raises NotProven."""
    from misbehaviour_rules import Entry, Shown
    kind, heads = doc["kind"], [head(doc, n) for n in range(len(doc["notes"]))]
    (size, root, time), (last, last_root, _) = heads[0], heads[-1]
    if kind == "same-size":
        return need(size == last and root != last_root, "one size, one root", NotProven)
    if kind == "inconsistent":
        other, proof = doc["alternative"]
        need(size < last and root != other, "the signed root", NotProven)
        return consistent(size, last, other, last_root, proof)
    if kind == "two-entries":
        (i, one, _), (j, other, _) = doc["leaves"]
        need(i == j and one != other, "one leaf", NotProven)
        for (index, leaf, proof), (n, r, _) in zip(doc["leaves"], heads):
            included(index, n, leaf, proof, r)
        return None
    for index, entry, proof in doc["shown"]:
        included(index, last, sha(b"\0", entry), proof, last_root)
    shown = Shown((index, Entry(entry)) for index, entry, _ in doc["shown"])
    first = next(iter(shown))
    ends = [shown[first], shown[next(reversed(shown))]]
    if kind == "head-time":
        seconds = ends[0].time // 1000
        return need(seconds > time if first < size else seconds < time, "the times fit", NotProven)
    if kind == "time-back":
        return need(ends[0].time > ends[1].time, "time goes on", NotProven)
    if kind == "duplicate-claim":
        return need(ends[0].id == ends[1].id, "two claims", NotProven)
    if kind == "after-freeze":
        return need(shown.is_a(first, "log/v1") and "freeze" in ends[0].claim["body"] and size > first + 1, "", NotProven)
    return shown.wrong_link(first) if kind == "wrong-link" else shown.broken_rule(first)


def judge(raw):
    """The result, and of a proven file kind, accused key, party and code."""
    try:
        doc = parse(raw)
        return {"result": "proven", "code": contradiction(doc)} | {m: doc[m] for m in ("kind", "accused", "party")}
    except Malformed:
        return {"result": "malformed"}
    except (NotProven, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {"result": "not-proven"}  # the others: a claim of a bad form, by which nothing is shown


def main(*arguments):
    if len(arguments) not in (1, 2) or (len(arguments) == 2) != (arguments[0] == "--vectors"):
        return print(__doc__, file=sys.stderr) or 64
    try:
        with open(arguments[-1], "rb") as file:
            raw = file.read(None if len(arguments) == 2 else (8 << 20) + 1)
    except OSError as error:
        return print(error, file=sys.stderr) or 66
    if len(arguments) == 1:
        found = judge(raw)
        return print(json.dumps(found)) or {"proven": 0, "not-proven": 1, "malformed": 2}[found["result"]]
    cases = [(case, judge(case["file"].encode())) for case in json.loads(raw)["cases"]]
    wrong = [f"{case['name']}: {found}" for case, found in cases if any(case.get(m, v) != v for m, v in found.items())]
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    return print(json.dumps({"cases": len(cases), "wrong": len(wrong)})) or (1 if wrong else 0)


if __name__ == "__main__":
    sys.modules["check_misbehaviour"] = sys.modules["__main__"]  # one NotProven for both files
    sys.exit(main(*sys.argv[1:]))
