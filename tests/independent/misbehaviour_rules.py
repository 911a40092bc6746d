"""Entries, links and rules for check_misbehaviour.py, by docs/formats.md and rules version 1.

Of broken rules: keys, rights, targets and the outer form of claims. Where only a body, a date or a subject has a bad form,
where a mandate gives or uses a right, or where entry 0 is accused, the answer is "not proven".
"""
import base64
import json
from datetime import datetime, timedelta

from check_misbehaviour import Malformed, NotProven, need, signed
from read_log import SPKI, Wrong, cbor, new_keys, pae, sha

KIND, DAY = "application/vnd.claimtrail.claim.v1+json", 86_400_000
TYPES = ("log", "issuer", "product", "support", "contact", "release", "vulnerability", "conformity", "observation")
NEEDED = ("type", "logs", "issuer", "role", "asserted_at", "rel", "body")
MEMBERS = NEEDED + ("on_behalf_of", "subject", "submit_before", "effective", "until", "authority", "legal", "docs")


class Refused(Exception):
    """The rules refuse a claim, with this code."""


def refuse(condition, code):
    if condition:
        raise Refused(code)


class Entry:
    def __init__(self, raw):
        try:
            (one, self.time, self.links, self.kind, self.payload, self.signed), end = cbor(raw)
            ids = [key for key, signature in self.signed if len(key) == 32 and isinstance(signature, bytes)]
            good = one == 1 and end == len(raw) and len(self.links) == 3 and ids == sorted(set(ids)) and 0 < len(ids) <= 64
            need(good and len(ids) == len(self.signed) and all(link is None or link < 2 ** 63 - 1 for link in self.links), "")
        except (Malformed, Wrong, ValueError, TypeError, IndexError):
            raise NotProven("not an entry of format 1") from None
        self.id = "sha256:" + sha(pae(self.kind, self.payload)).hex()
        self.claim, self.code = form(self.kind, self.payload)


def form(kind, payload):
    def unique(pairs):
        if len(dict(pairs)) < len(pairs):
            raise Refused("claim.duplicate_key")
        return dict(pairs)
    if kind != KIND:
        return None, "payload_type.unsupported"
    try:
        claim = json.loads(payload.decode(), object_pairs_hook=unique)
    except (Refused, ValueError) as why:
        return None, why.args[0] if isinstance(why, Refused) else "claim.json"
    if not isinstance(claim, dict) or not isinstance(claim.get("type", ""), str):
        return None, "claim.wrong_type"
    name = claim.get("type", ":")
    if ":" not in name and name not in [t + "/v1" for t in TYPES]:
        return None, "claim.unknown_type"
    code = "claim.missing" if any(m not in claim for m in NEEDED) else "claim.unknown_member" if set(claim) - set(MEMBERS) else None
    return (None if code else claim), code


def end_ms(text):
    """The last instant of a month, a day or a moment."""
    if "T" in text:
        return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)
    day = datetime.fromisoformat((text + "-01")[:10] + "T00:00:00+00:00")
    after = (day + timedelta(days=1)) if len(text) == 10 else (day + timedelta(days=32)).replace(day=1)
    return int(after.timestamp() * 1000) - 1


def here(claim, constitution):
    target = claim["rel"].get("target")
    return target["id"] if target and target.get("origin", constitution["origin"]) == constitution["origin"] else None


def product(claim):
    subject = claim.get("subject", {"manufacturer": "", "model": ""})
    return subject["manufacturer"], " ".join(subject["model"].lower().split())


def slot_key(claim):
    need(claim["type"] in ("support/v1", "product/v1", "release/v1") or ":" in claim["type"], "slot", NotProven)
    return claim["body"].get("version", "") if claim["type"] == "release/v1" else json.dumps(claim["subject"].get("units"))


def replay(chain):
    """Keys, roles and threshold of an issuer by its registry entries, oldest first."""
    state = {"keys": {}, "roles": [], "admins": 1, "waiting": None}
    for index, entry in chain:
        claim, body = entry.claim, entry.claim["body"]
        for gone in body.get("revoke", []):
            state["keys"][bytes.fromhex(gone["key_id"])]["revoked"] = True
        recovery = body.get("recovery", {})
        if recovery.get("kind") == "veto":
            for key in state["waiting"]:
                state["keys"][key]["revoked"] = True
        added = {sha(base64.b64decode(key["spki"])): key for key in body.get("keys", [])}
        since = entry.time + 7 * DAY if recovery.get("kind") == "start" else 0
        for key_id, key in added.items():
            until = end_ms(key["until"]) if "until" in key else None
            state["keys"][key_id] = {"spki": base64.b64decode(key["spki"]), "use": key["use"], "from": since, "until": until}
        state["waiting"] = list(added) if since else state["waiting"]
        if claim["role"] != "operator" and not recovery:
            state["roles"], state["admins"] = body["roles"], body.get("admin_threshold", state["admins"])
    return state


def speaks(key, time):
    refuse(key.get("revoked"), "key.revoked")
    refuse(time < key["from"] or (key["until"] is not None and time >= key["until"]), "key.expired")


class Shown(dict):
    """The entries of a file by index."""

    def constitution(self, index):
        at = index if index == 0 and self.at(0).links[0] is None else self.at(index).links[0]
        body = self.at(at).claim and self.at(at).claim["type"] == "log/v1" and self.at(at).claim["body"]
        need((at is not None and at < index or index == 0) and body and body["rules_version"] == 1, "rules", NotProven)
        return body

    def at(self, index):
        need(index in self, f"entry {index} is not shown", NotProven)
        return self[index]

    def taken(self, index):
        """The claim of an entry that was taken by rules version 1, or nothing."""
        try:
            return self.constitution(index) and self.at(index).claim
        except NotProven:
            return None

    def is_a(self, index, kind, issuer=None):
        claim = self.taken(index)
        return claim and claim["type"] == kind and issuer in (None, claim["issuer"])

    def find(self, claim_id, below):
        return next((i for i in self if self[i].id == claim_id and i < below), None)

    def slot(self, index):
        """A tuple, "none", or nothing where the file does not show it."""
        claim = self.taken(index)
        if not claim or claim["type"] in ("log/v1", "issuer/v1"):
            return claim and "none"
        target, about = here(claim, self.constitution(index)), claim["rel"]["kind"] in ("withdraw", "confirm", "dispute")
        if about:
            at = target and self.find(target, index)
            return "none" if not target else at is not None and self.slot(at) or None
        return None if target and "authority" in claim else (claim["issuer"], *product(claim), claim["type"], slot_key(claim))

    # --- links ---

    def wrong_link(self, index):
        links, others = self[index].links, [i for i in self if i < index]
        constitution, registry, previous = links
        if any(link is not None and link >= index for link in links) or index > 0 and constitution is None:
            return None
        need(index > 0, "entry 0 has no links", NotProven)
        named = constitution in self and self[constitution].claim
        if named and named["type"] != "log/v1":
            return None
        self.constitution(index)
        claim = self[index].claim
        need(claim, "no claim", NotProven)
        after = lambda link: [i for i in others if link is None or i > link]
        waits = self.taken(constitution) and named.get("effective") and "freeze" not in named["body"] and constitution > 0
        if waits and end_ms(named["effective"]) > self[index].time or any((self[i].links[0] or 0) > constitution for i in others):
            return None
        kind, issuer = claim["type"], claim["issuer"]
        if kind == "log/v1":
            wrong = registry is not None or previous is None or self.taken(previous) and not self.is_a(previous, "log/v1")
            return need(wrong or any(self.is_a(i, "log/v1") for i in after(previous)), "links", NotProven)
        wrong = registry is None and kind != "issuer/v1" or any(self.is_a(i, "issuer/v1", issuer) for i in after(registry))
        wrong = wrong or registry is not None and self.taken(registry) and not self.is_a(registry, "issuer/v1", issuer)
        if wrong or kind == "issuer/v1":
            return need(wrong or previous != registry, "links", NotProven)
        own, of = self.slot(index), previous in self and self.slot(previous)
        wrong = previous is not None and (own == "none" or of == "none" or own and of and own != of)
        skipped = own and own != "none" and any(self.slot(i) == own for i in after(previous))
        return need(wrong or skipped, "links", NotProven)

    # --- rules ---

    def broken_rule(self, index):
        need(index > 0, "entry 0", NotProven)
        try:
            self.judge(index, self[index], self.constitution(index))
        except Refused as why:
            return why.args[0]
        except (KeyError, TypeError, ValueError):
            pass
        raise NotProven("the rules take it, as far as is shown")

    def judge(self, index, entry, body):
        refuse(entry.code, entry.code)
        claim, kind, signers = entry.claim, entry.claim["type"], [key for key, _ in entry.signed]
        new = {sha(spki): spki for spki in map(base64.b64decode, new_keys(claim))}
        operators, registrars = ({sha(base64.b64decode(k["spki"])): base64.b64decode(k["spki"]) for k in body[name]}
                                 for name in ("operator_keys", "registrar_keys"))
        own = replay(self.chain(entry.links[1], claim["issuer"])) if kind != "log/v1" else replay([])
        need(kind != "issuer/v1" or not {"mandate", "successor_of"} & set(claim["body"]), "a right is given", NotProven)
        known = {key: value["spki"] for key, value in own["keys"].items()} | operators | registrars | new
        refuse(any(key not in known for key in signers), "key.unknown")
        message = pae(entry.kind, entry.payload)
        refuse(not all(signed(known[key][len(SPKI):], sig, message) for key, sig in entry.signed), "signature.invalid")
        refuse("freeze" in body, "mode.frozen")
        refuse(body["origin"] not in [log["origin"] for log in claim["logs"]], "claim.wrong_log")
        refuse("submit_before" in claim and entry.time > end_ms(claim["submit_before"]), "claim.too_late")
        if kind == "log/v1":
            return self.judge_log(entry, claim, set(new) - set(operators) - set(registrars), signers, operators, body)
        if kind == "issuer/v1":
            return self.judge_issuer(entry, claim, own, new, signers, registrars)
        refuse(len(signers) != 1, "signature.extra")
        refuse(signers[0] in operators or signers[0] in registrars, "right.other_issuer")
        key = own["keys"][signers[0]]
        speaks(key, entry.time)
        refuse(key["use"] != "sign", "right.use")
        refuse(claim["role"] not in own["roles"], "right.role")
        chain = self.chain(entry.links[1], claim["issuer"])
        given = [e for _, e in chain if e.id == claim.get("authority") and {"mandate", "successor_of"} & set(e.claim["body"])]
        refuse("authority" in claim and not given, "right.authority")
        need("authority" not in claim, "a mandate is used", NotProven)
        about = claim["rel"]["kind"] in ("withdraw", "confirm", "dispute")
        refuse(claim["role"] == "authorised-representative", "right.authority")
        other = "subject" in claim and product(claim)[0] != claim["issuer"]
        refuse(claim["role"] == "manufacturer" and other and not about, "right.other_issuer")
        if here(claim, body):
            self.judge_target(index, claim, here(claim, body), body)

    def judge_target(self, index, claim, target, body):
        at, rel = self.find(target, 2 ** 63), claim["rel"]["kind"]
        refuse(at is not None and at > index, "target.unknown")
        found = at is not None and self.taken(at)
        need(found, "the target is not shown", NotProven)
        gone = (self.taken(i) for i in self if i < index)
        refuse(any(c and c["rel"]["kind"] == "withdraw" and here(c, body) == target for c in gone), "target.withdrawn")
        full = found["rel"]["kind"] in ("new", "amend", "supersede") and found["type"] not in ("log/v1", "issuer/v1")
        refuse(rel in ("amend", "supersede") and not full, "target.kind")
        need(full and not ("authority" in found and "target" in found["rel"]), "whose slot", NotProven)
        refuse(found["type"] != claim["type"], "target.type")
        refuse(product(found) != product(claim), "target.slot")
        refuse(rel not in ("confirm", "dispute") and found["issuer"] != claim["issuer"], "right.target")
        refuse(rel in ("amend", "supersede") and slot_key(found) != slot_key(claim), "target.slot")

    def judge_log(self, entry, claim, new, signers, operators, body):
        refuse(any(claim["body"][m] != body[m] for m in ("origin", "log_vkey", "time_vkey")), "slot.constitution")
        refuse(new - set(signers), "key.no_possession")
        count = len([key for key in signers if key in operators])
        refuse(any(key not in operators and key not in new for key in signers), "signature.extra")
        refuse(count < body["operator_threshold"], "right.operator")
        refuse(count > body["operator_threshold"], "signature.extra")
        if "freeze" not in claim["body"]:
            refuse(end_ms(claim["effective"]) < entry.time + DAY, "slot.constitution")

    def judge_issuer(self, entry, claim, own, new, signers, registrars):
        counts = [0, 0]
        for key in (key for key in signers if key not in new):
            if key not in registrars:
                speaks(own["keys"][key], entry.time)
                refuse(own["keys"][key]["use"] == "sign", "right.use")
            counts[key not in registrars] += 1
        refuse(any(key in own["keys"] or key in registrars for key in new), "key.taken")
        refuse(set(new) - set(signers), "key.no_possession")
        recovery, first = claim["body"].get("recovery", {}).get("kind"), entry.links[1] is None
        by_registrar = first or claim["role"] == "operator" or recovery == "start"
        adds = not by_registrar and (set(claim["body"]["roles"]) - set(own["roles"]) or claim["body"].get("replay"))
        needed = [1, 0] if by_registrar else [0, 1] if recovery == "veto" else [int(bool(adds)), own["admins"]]
        refuse(counts[0] < needed[0], "right.registrar")
        refuse(counts[1] < needed[1], "signature.missing")
        need(not adds, "new roles", NotProven)

    def chain(self, last, issuer):
        chain = []
        while last is not None:
            need(self.is_a(last, "issuer/v1", issuer) and (self[last].links[1] or -1) < last, "the registry chain", NotProven)
            chain.insert(0, (last, self[last]))
            last = self[last].links[1]
        return chain
