#!/usr/bin/env python3
"""Reads a Claimtrail log without any of its code: the Python standard library and an Ed25519 module.

    read_log.py URL LOG_VKEY [TIME_VKEY]

Fetches checkpoint, tiles and entry bundles, checks the signatures of the head, hashes every entry, compares with the
level-0 tiles, recomputes every higher tile and the root, decodes every entry, and checks every claim's signatures under
the keys that earlier entries enrolled. Prints one line of JSON; exit status 0 when all of it holds, 1 when not.
Formats: C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles; RFC 6962; RFC 8949; DSSE.
"""
import base64
import hashlib
import json
import struct
import sys
import urllib.request

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SPKI = bytes.fromhex("302a300506032b6570032100")


class Wrong(Exception):
    """Something in the log is not as it must be."""


def need(condition, what):
    if not condition:
        raise Wrong(what)


def fetch(url):
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# --- notes ---------------------------------------------------------------------------------------------------------

def parse_vkey(text):
    name, key_hash, data = text.split("+", 2)
    data = base64.b64decode(data, validate=True)
    need(sha(name.encode(), b"\n", data)[:4].hex() == key_hash, f"the key hash of {name} is wrong")
    return name, key_hash, data[0], data[1:]


def verify(public, signature, message, what):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        raise Wrong(f"{what}: the signature does not verify") from None


def read_checkpoint(note, vkeys):
    text, lines = note.decode().rsplit("\n\n", 1)
    text += "\n"
    seen, time = set(), None
    for line in lines.splitlines():
        dash, name, blob = line.split(" ")
        need(dash == "\u2014", "a signature line does not begin with a dash")
        blob = base64.b64decode(blob, validate=True)
        for vkey_name, key_hash, kind, public in vkeys:
            if (name, blob[:4].hex()) != (vkey_name, key_hash):
                continue
            message, signature = text.encode(), blob[4:]
            if kind == 4:
                time = struct.unpack(">Q", blob[4:12])[0]
                message, signature = f"cosignature/v1\ntime {time}\n".encode() + message, blob[12:]
            verify(public, signature, message, f"the head, by {name}")
            seen.add(vkey_name)
    for vkey_name, _, _, _ in vkeys:
        need(vkey_name in seen, f"the head is not signed by {vkey_name}")
    origin, size, root = text.splitlines()[:3]
    need(origin == vkeys[0][0], "the head's origin is not the key's name")
    return origin, int(size), base64.b64decode(root, validate=True), time


# --- CBOR, as far as entries need it -------------------------------------------------------------------------------

def cbor(data, at=0):
    head, at = data[at], at + 1
    major, small = head >> 5, head & 31
    if head == 0xF6:
        return None, at
    if small < 24:
        value = small
    else:
        need(small in (24, 25, 26, 27), "CBOR of another kind than entries use")
        width = 1 << (small - 24)
        value, at = int.from_bytes(data[at:at + width], "big"), at + width
        need(value >= (24, 256, 65536, 1 << 32)[small - 24], "CBOR that is not in shortest form")
    if major == 0:
        return value, at
    if major in (2, 3):
        raw = data[at:at + value]
        need(len(raw) == value, "CBOR that ends early")
        return (raw if major == 2 else raw.decode()), at + value
    need(major == 4, "CBOR of another kind than entries use")
    items = []
    for _ in range(value):
        item, at = cbor(data, at)
        items.append(item)
    return items, at


# --- the tree ------------------------------------------------------------------------------------------------------

def tile_path(level, index, width):
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return f"/tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width < 256 else "")


def full_root(hashes):
    while len(hashes) > 1:
        hashes = [sha(b"\x01", hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def tree_root(hashes):
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return sha(b"\x01", tree_root(hashes[:split]), tree_root(hashes[split:]))


def read_entries(url, size):
    entries = []
    for index in range((size + 255) // 256):
        width = min(256, size - index * 256)
        data, at = fetch(url + tile_path("entries", index, width)), 0
        for _ in range(width):
            length = struct.unpack(">H", data[at:at + 2])[0]
            entries.append(data[at + 2:at + 2 + length])
            at += 2 + length
        need(at == len(data), f"bundle {index} has bytes after its last entry")
    return entries


def check_tiles(url, leaves):
    level, hashes, tiles = 0, leaves, 0
    while hashes:
        above = []
        for index in range((len(hashes) + 255) // 256):
            part = hashes[index * 256:(index + 1) * 256]
            need(fetch(url + tile_path(level, index, len(part))) == b"".join(part), f"tile {index} of level {level}")
            tiles += 1
            if len(part) == 256:
                above.append(full_root(part))
        level, hashes = level + 1, above
    return tiles


# --- claims --------------------------------------------------------------------------------------------------------

def pae(kind, body):
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(body), body)


def new_keys(claim):
    body = claim["body"]
    if claim["type"] == "issuer/v1":
        return [key["spki"] for key in body.get("keys", [])]
    if claim["type"] == "log/v1":
        return [key["spki"] for key in body["operator_keys"] + body["registrar_keys"]]
    return []


def check_claims(origin, entries, time):
    keys, ids, last, signatures = {}, set(), 0, 0
    for index, raw in enumerate(entries):
        entry, end = cbor(raw)
        need(end == len(raw) and len(entry) == 6 and entry[0] == 1, f"entry {index} is malformed")
        _, stamp, links, kind, payload, signed = entry
        need(stamp >= last, f"entry {index}: the time goes back")
        need(all(link is None or link < index for link in links), f"entry {index}: a link points ahead")
        claim = json.loads(payload)
        need(origin in [log["origin"] for log in claim["logs"]], f"entry {index} is for another log")
        for spki in map(base64.b64decode, new_keys(claim)):
            need(spki.startswith(SPKI), f"entry {index} enrols a key of another kind")
            keys.setdefault(sha(spki), spki[len(SPKI):])
        for key_id, signature in signed:
            need(key_id in keys, f"entry {index} is signed by a key that is not enrolled")
            verify(keys[key_id], signature, pae(kind, payload), f"entry {index}")
            signatures += 1
        claim_id = sha(pae(kind, payload))
        need(claim_id not in ids, f"entry {index}: the claim id stands twice")
        ids.add(claim_id)
        last = stamp
    need(time is None or last // 1000 <= time, "the head's time is before its last entry's")
    return signatures


def main(url, *vkeys):
    url = url.rstrip("/")
    origin, size, root, time = read_checkpoint(fetch(url + "/checkpoint"), [parse_vkey(v) for v in vkeys])
    entries = read_entries(url, size)
    leaves = [sha(b"\x00", entry) for entry in entries]
    need(tree_root(leaves) == root, "the entries do not lead to the signed root")
    tiles = check_tiles(url, leaves)
    signatures = check_claims(origin, entries, time)
    print(json.dumps({"origin": origin, "size": size, "root": root.hex(), "tiles": tiles, "signatures": signatures}))


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)
    try:
        main(*sys.argv[1:])
    except Wrong as why:
        print(f"wrong: {why}", file=sys.stderr)
        sys.exit(1)
